// A relay on the transport in PostgreSQL: node crash-child.ts <database>.
import fastifyPostgres from '@fastify/postgres'
import postgresTransport from '@steadfast/transport-postgres'
import Fastify from 'fastify'
import relay from '../src/index.ts'

const [connectionString = ''] = process.argv.slice(2)
const app = Fastify()
await app.register(fastifyPostgres, { connectionString })
await app.register(postgresTransport, { connectionString })
await app.register(relay)
await app.ready()
