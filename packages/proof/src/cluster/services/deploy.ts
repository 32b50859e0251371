import deploy from '@steadfast-examples/deploy'
import { readEnvironment, ServiceEnvironment, serve } from '@steadfast-examples/service'
import Fastify from 'fastify'
import { Type } from 'typebox'
import { applyNotes } from './notes.ts'
import { tellListening } from './tell-listening.ts'

// The deploy of the examples, and the handlers of notes.

const env = readEnvironment(
  Type.Object({
    ...ServiceEnvironment.properties,
    TARGET_DATABASE_URL: Type.String(),
    PROVISION_SECRET: Type.String(),
    PROVISION_PREFIX: Type.String(),
    LEASE_MS: Type.Integer(),
    WORKER_POLL_INTERVAL_MS: Type.Integer(),
    PROGRESS_EVERY_MS: Type.Integer(),
    NOTES_VERSION: Type.Union([Type.Literal('old'), Type.Literal('new')])
  })
)
const app = Fastify({ logger: { level: env.LOG_LEVEL }, ajv: { customOptions: { removeAdditional: false } } })
await app.register(deploy, env)
applyNotes(app, env.NOTES_VERSION)
await serve(app, { host: env.HOST, port: env.PORT })
tellListening(app)
