import { readEnvironment, serve } from '@steadfast-examples/service'
import Fastify from 'fastify'
import deploy from './app.ts'
import { DeployEnvironment } from './environment.ts'

const env = readEnvironment(DeployEnvironment)
const app = Fastify({
  logger: { level: env.LOG_LEVEL },
  // an unknown member is refused instead of dropped
  ajv: { customOptions: { removeAdditional: false } }
})
await app.register(deploy, env)
await serve(app, { host: env.HOST, port: env.PORT })
