// One relay as a process of its own: node relay-process.ts <database> <brokers>. Says "ready", ends on SIGTERM.
import fastifyPostgres from '@fastify/postgres'
import kafkaTransport from '@steadfast/transport-kafka'
import Fastify from 'fastify'
import relay from '../src/index.ts'

const [connectionString = '', brokers = ''] = process.argv.slice(2)
const app = Fastify()
await app.register(fastifyPostgres, { connectionString, max: 4 })
await app.register(kafkaTransport, { brokers: brokers.split(',') })
await app.register(relay, { batchSize: 100, pollIntervalMs: 10, beatIntervalMs: 100, deadAfterMs: 500 })
await app.ready()
console.log('ready')
process.once('SIGTERM', () => void app.close())
