import market from '@steadfast-examples/market'
import { readEnvironment, ServiceEnvironment, serve } from '@steadfast-examples/service'
import Fastify from 'fastify'
import { Type } from 'typebox'
import { takeNotes, writeBursts } from './notes.ts'
import { tellListening } from './tell-listening.ts'

// The market of the examples, and notes.

const optional = Type.Optional(Type.String())
const own = { DEPLOY_URL: optional, DEPLOY_TOKEN: optional }
const env = readEnvironment(Type.Object({ ...ServiceEnvironment.properties, ...own }))
const app = Fastify({ logger: { level: env.LOG_LEVEL }, ajv: { customOptions: { removeAdditional: false } } })
await app.register(market, env)
const defaults = { confirmWithinMs: env.CONFIRM_WITHIN_MS, maxSends: env.MAX_SENDS }
takeNotes(app, defaults)
writeBursts(app, defaults)
await serve(app, { host: env.HOST, port: env.PORT })
tellListening(app)
