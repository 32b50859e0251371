import fastifyPostgres from '@fastify/postgres'
import { testDatabase } from '@steadfast/dev-services'
import { laneOf, type NewEvent, type Outgoing, type PublishResult, type Transport } from '@steadfast/events'
import { migrate } from '@steadfast/store'
import { storeOn, writeEvents } from '@steadfast/store/internal'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import type { Test } from 'tap'
import { v7 as uuidv7 } from 'uuid'
import relay, { type RelayOptions } from '../src/index.ts'

/** A transport that remembers what it took. `answer` decides for each batch; by default everything is taken. */
export function recordingTransport() {
  const log: { id: string; topic: string; key: string; attempt: number; replay: boolean }[] = []
  const accept = (message: Outgoing): PublishResult => {
    log.push({
      id: String(message.headers.ce_id),
      topic: message.topic,
      key: message.key,
      attempt: Number(message.headers.ce_attempt),
      replay: message.headers.ce_replay !== undefined
    })
    return { ok: true }
  }
  const state = {
    log,
    accept,
    batches: 0,
    ready: true,
    answer: async (batch: readonly Outgoing[], _signal: AbortSignal): Promise<PublishResult[]> => batch.map(accept)
  }
  const transport: Transport = {
    name: 'recording',
    capabilities: { order: 'key', rewind: false },
    ensureTopics: async () => {},
    publish(batch, signal) {
      state.batches++
      return state.answer(batch, signal)
    },
    subscribe: () => Promise.reject(new Error('not needed')),
    health: () => (state.ready ? { ready: true } : { ready: false, reason: 'away' }),
    close: async () => {}
  }
  return Object.assign(state, { transport })
}

/** What a broker says of a topic that is missing or forbidden. */
export const unavailable = (message = 'UNKNOWN_TOPIC_OR_PARTITION'): PublishResult => ({
  ok: false,
  kind: 'unavailable',
  about: 'topic',
  error: new Error(message)
})

export const failed = (kind: 'refused' | 'unavailable' | 'unknown', message: string = kind): PublishResult => ({
  ok: false,
  kind,
  error: new Error(message)
})

/** An event as the outbox would write it, with members to taste. */
export function event(members: Partial<NewEvent> = {}): NewEvent {
  const id = members.id ?? uuidv7()
  const key = members.key ?? id
  return {
    source: 'market',
    type: 'market.thing.happened',
    topic: 'market.things',
    dataVersion: null,
    payload: '{"n":1}',
    headers: {},
    maxSends: 6,
    awaitsFrom: null,
    awaitsReceipt: false,
    replyTo: null,
    confirmWithinMs: null,
    resendBackoff: null,
    giveUpAfterMs: null,
    causationId: null,
    correlationId: null,
    isAnswer: false,
    ...members,
    id,
    key,
    lane: laneOf(key)
  }
}

/** A migrated database of its own. */
export async function database(t: Test, schema?: string) {
  const { pool, url, directUrl, setReadOnly } = await testDatabase(t)
  await migrate(pool, schema === undefined ? {} : { schema })
  const db = storeOn(pool, schema)
  return {
    pool,
    url,
    directUrl,
    setReadOnly,
    db,
    write: (events: NewEvent[]) => writeEvents(db, events),
    rows: (where = 'true') =>
      db.rows<Record<string, unknown>>(`select * from ${db.schema}.event where ${where} order by seq`)
  }
}

/** A server with a relay on that database. It ticks only by hand unless `schedule` says otherwise. */
export async function server(t: Test, url: string, transport: Transport, options: RelayOptions = {}) {
  const app = Fastify()
  await app.register(fastifyPostgres, { connectionString: url })
  // a client that is ending may still hear of the database being dropped
  app.pg.pool.on('error', () => {})
  app.pg.pool.on('connect', client => client.on('error', () => {}))
  await app.register(fp(async f => void f.decorate('transport', transport)))
  await app.register(relay, { schedule: false, ...options })
  t.teardown(() => app.close())
  await app.ready()
  return app
}
