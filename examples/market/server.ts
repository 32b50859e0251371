import { readEnvironment, serve } from '@steadfast-examples/service'
import Fastify from 'fastify'
import market from './app.ts'
import { MarketEnvironment } from './environment.ts'

const env = readEnvironment(MarketEnvironment)
const app = Fastify({
  logger: { level: env.LOG_LEVEL },
  // an unknown member is refused instead of dropped
  ajv: { customOptions: { removeAdditional: false } }
})
await app.register(market, env)
await serve(app, { host: env.HOST, port: env.PORT })
