import fastifyPostgres from '@fastify/postgres'
import { testDatabase } from '@steadfast/dev-services'
import { laneOf, type NewEvent, type Outgoing, type PublishResult, type Transport } from '@steadfast/events'
import relay from '@steadfast/relay'
import { migrate } from '@steadfast/store'
import { storeOn, writeEvents } from '@steadfast/store/internal'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import type { Test } from 'tap'
import { v7 as uuidv7 } from 'uuid'
import sweeper, { type SweeperOptions } from '../src/index.ts'

/** A request that awaits deploy's answer within two minutes, as the outbox would write it. */
export function request(members: Partial<NewEvent> = {}): NewEvent {
  const id = uuidv7()
  const key = members.key ?? id
  return {
    source: 'market',
    type: 'market.deployment.requested',
    topic: 'market.deployments',
    dataVersion: null,
    payload: '{}',
    headers: {},
    maxSends: 6,
    awaitsFrom: 'deploy',
    awaitsReceipt: false,
    replyTo: 'market.signals',
    confirmWithinMs: 120_000,
    resendBackoff: 2,
    giveUpAfterMs: 86_400_000,
    causationId: null,
    correlationId: null,
    isAnswer: false,
    ...members,
    id,
    key,
    lane: laneOf(key)
  }
}

/** A broker that takes everything while `up`. */
export function simpleBroker() {
  const log: { id: string; attempt: number }[] = []
  const broker = { up: true, log, transport: undefined as unknown as Transport }
  const take = (message: Outgoing): PublishResult => {
    if (!broker.up) return { ok: false, kind: 'unavailable', error: new Error('away') }
    log.push({ id: String(message.headers.ce_id), attempt: Number(message.headers.ce_attempt) })
    return { ok: true }
  }
  broker.transport = {
    name: 'simple',
    capabilities: { order: 'key', rewind: false },
    ensureTopics: async () => {},
    publish: async batch => batch.map(take),
    subscribe: () => Promise.reject(new Error('not needed')),
    health: () => ({ ready: true }),
    close: async () => {}
  }
  return broker
}

/** A database with a server on it whose relay and sweeper tick by hand. */
export async function market(t: Test, options: SweeperOptions = {}) {
  const { pool, url, setReadOnly } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const broker = simpleBroker()
  const start = async (more: SweeperOptions = {}) => {
    const app = Fastify()
    await app.register(fastifyPostgres, { connectionString: url })
    app.pg.pool.on('error', () => {})
    // a client that is ending may still hear of the database being dropped
    app.pg.pool.on('connect', client => client.on('error', () => {}))
    await app.register(fp(async f => void f.decorate('transport', broker.transport)))
    await app.register(relay, { schedule: false })
    await app.register(sweeper, { schedule: false, ...options, ...more })
    t.teardown(() => app.close())
    await app.ready()
    return app
  }
  return {
    app: await start(),
    start,
    pool,
    setReadOnly,
    broker,
    write: (events: NewEvent[]) => writeEvents(db, events),
    rows: (where = 'true') =>
      db.rows<Record<string, unknown> & { count: number; deadline: Date; status: string }>(
        `select * from steadfast.event where ${where} order by seq`
      )
  }
}
