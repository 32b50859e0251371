// A consumer that dies at a seam, or a second one that lives. What is to be done comes as JSON.
import { subscribe } from 'node:diagnostics_channel'
import postgres from '@fastify/postgres'
import { defineEvent } from '@steadfast/events'
import outbox from '@steadfast/outbox'
import kafkaTransport from '@steadfast/transport-kafka'
import postgresTransport from '@steadfast/transport-postgres'
import fastify, { type FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import inbox from '../src/index.ts'

const { url, log, brokers, tasks, results, dieAt, group } = JSON.parse(process.argv[2] ?? '{}') as Record<
  string,
  string
>
const data = Type.Object({ id: Type.String(), n: Type.Integer() })
const Task = defineEvent({
  type: 'shop.task.requested',
  topic: tasks ?? '',
  key: d => d.id,
  awaits: { from: 'worker' },
  data
})
const TaskDone = defineEvent({ type: 'worker.task.done', topic: results ?? '', key: d => d.id, answers: Task, data })

if (!dieAt) subscribe('steadfast:inbox:delivery-done', () => process.send?.('done'))
if (dieAt) subscribe(dieAt, () => process.kill(process.pid, 'SIGKILL'))

const app: FastifyInstance = fastify()
await app.register(postgres, { connectionString: url as string })
if (brokers)
  await app.register(kafkaTransport, {
    brokers: brokers.split(','),
    sessionTimeoutMs: 3000,
    heartbeatIntervalMs: 300,
    maxWaitTimeMs: 50
  } as never)
else await app.register(postgresTransport, { connectionString: log, pollIntervalMs: 20, leaseMs: 3000 } as never)
await app.register(outbox, { source: 'worker', contracts: [TaskDone as never] })
await app.register(inbox, { retryPollMs: 50, group: group as string })
app.onEvent(Task, async (request, reply) => {
  await request.tx.query('insert into effect (id, n) values ($1, $2)', [request.body.id, request.body.n])
  await reply.sendEvent(TaskDone, request.body)
})
await app.ready()
process.send?.('ready')
process.on('SIGTERM', () => void app.close().then(() => process.exit(0)))
