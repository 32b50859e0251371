import postgres from '@fastify/postgres'
import { defineEvent, type EventContract } from '@steadfast/events'
import inbox from '@steadfast/inbox'
import outbox from '@steadfast/outbox'
import { migrate } from '@steadfast/store'
import postgresTransport from '@steadfast/transport-postgres'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Pool } from 'pg'
import { Type } from 'typebox'
import { Anything, Good, TOPIC, Tree } from './contracts.ts'

/** Where the service hears what became of its own events. */
export const SIGNALS = 'fuzz.signals'
/** The sender of the signals. */
export const PEER = 'peer'

/** An event of the service's own, which waits for a signal. */
export const Asked = defineEvent({
  type: 'fuzz.asked',
  topic: 'asked',
  awaits: { from: PEER },
  data: Type.Object({ n: Type.Integer() })
})

/** A service with one handler for each contract, which writes down what it is given, byte by byte. */
export async function startService(url: string, pool: Pool): Promise<FastifyInstance> {
  await migrate(pool)
  await pool.query('create table handled (n bigint generated always as identity, position text, key text, raw text)')
  const app = Fastify()
  await app.register(postgres, { connectionString: url })
  await app.register(postgresTransport, {
    connectionString: url,
    pollIntervalMs: 20,
    publishTimeoutMs: 60_000,
    maxBytes: 2 ** 26
  })
  await app.register(outbox, { source: 'fuzz', contracts: [Asked as unknown as EventContract], replyTo: SIGNALS })
  await app.register(inbox, {
    ensureTopics: { partitions: 3 },
    retryPollMs: 0,
    pauseMs: 100,
    pauseMaxMs: 500,
    // No other process will come that knows what this one does not.
    unknownPatienceMs: 1
  })
  for (const contract of [Good, Tree, Anything] as unknown as EventContract[])
    app.onEvent(contract, async ({ event, tx }) => {
      // NUL stands in no text of PostgreSQL; what an application does with it is its own affair.
      const raw = Buffer.from(event.raw).toString('base64')
      await tx.query('insert into handled (position, key, raw) values ($1, $2, $3)', [
        `${event.topic}/${event.position}`,
        event.key ?? '',
        raw
      ])
    })
  await app.ready()
  await app.transport.ensureTopics([{ name: TOPIC, partitions: 3 }])
  return app
}
