import { defineEvent, type EventContract, type Outgoing, type PublishResult, type Transport } from '@steadfast/events'
import idempotencyKey from '@steadfast/idempotency-key'
import inbox from '@steadfast/inbox'
import { deliver } from '@steadfast/inbox/testing'
import outbox from '@steadfast/outbox'
import reconciliation from '@steadfast/reconciliation'
import relay from '@steadfast/relay'
import sweeper from '@steadfast/sweeper'
import kafkaTransport from '@steadfast/transport-kafka'
import postgresTransport from '@steadfast/transport-postgres'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import type { Pool } from 'pg'
import { type TObject, Type } from 'typebox'
import { IdempotencyKeyOptionsSchema } from '../../../../idempotency-key/src/options.ts'
import { InboxSchema, RetrySchema } from '../../../../inbox/src/options.ts'
import { OutboxOptionsSchema } from '../../../../outbox/src/options.ts'
import { ReconciliationOptionsSchema } from '../../../../reconciliation/src/options.ts'
import { RelayOptionsSchema } from '../../../../relay/src/options.ts'
import { SweeperOptionsSchema } from '../../../../sweeper/src/options.ts'
import { RetentionSchema } from '../../../../sweeper/src/retention.ts'
import { KafkaTransportSchema } from '../../../../transport-kafka/src/options.ts'
import { PostgresTransportSchema } from '../../../../transport-postgres/src/options.ts'
import type { Kind } from './values.ts'

/** The database that all registrations share. */
export interface Ground {
  pool: Pool
  url: string
}

/** A plugin, and how its options are tried. */
export interface Target {
  name: string
  plugin: FastifyPluginAsync<never>
  schema: TObject
  kinds?: Record<string, Kind>
  /** The option of which the schema tells the members; without: the options themselves. */
  within?: string
  needed(ground: Ground): Record<string, unknown>
  suitable(ground: Ground): Record<string, unknown[]>
  /** Registers what the plugin stands on. */
  before(app: FastifyInstance, ground: Ground): Promise<void>
  /** Before the server is ready. */
  declare?(app: FastifyInstance): void
  /** Uses what was registered; throws what the options are to blame for. */
  use(app: FastifyInstance, options: Record<string, unknown>): Promise<void>
}

const data = Type.Object({ id: Type.String() })
const Asked = defineEvent({ type: 'fuzz.asked', topic: 'fuzz', key: d => d.id, awaits: { from: 'peer' }, data })
const Told = defineEvent({ type: 'fuzz.told', topic: 'fuzz', key: d => d.id, data })
const ASKED = Asked as unknown as EventContract

const taken: PublishResult = { ok: true }
/** A transport that takes everything and delivers nothing. */
const sink: Transport = {
  name: 'sink',
  capabilities: { order: 'key', rewind: true },
  ensureTopics: async () => {},
  publish: async (batch: readonly Outgoing[]) => batch.map(() => taken),
  subscribe: async () => ({
    pause() {},
    resume() {},
    lag: async () => 0n,
    end: async () => '{}',
    rewind: async () => {},
    close: async () => {}
  }),
  health: () => ({ ready: true }),
  close: async () => {}
}

const withPool = async (app: FastifyInstance, { pool }: Ground) => {
  await app.register(
    fp(async instance => void instance.decorate('pg', { pool } as never), { name: '@fastify/postgres' })
  )
}
const withTransport = async (app: FastifyInstance) => {
  await app.register(fp(async instance => void instance.decorate('transport', sink), { name: 'sink' }))
}
const withOutbox = async (app: FastifyInstance, ground: Ground) => {
  await withPool(app, ground)
  await withTransport(app)
  await app.register(outbox, { source: 'fuzz', contracts: [ASKED as never] })
}

const silent = { debug() {}, info() {}, warn() {}, error() {} }
const schemas = ['steadfast', 'elsewhere', 'pg_mine', 'Steadfast']
const pools = ({ pool }: Ground) => [pool]

async function answers(
  app: FastifyInstance,
  request: { method: 'GET' | 'POST'; url: string; headers?: Record<string, string> }
) {
  const response = await app.inject(request)
  if (response.statusCode < 400) return
  const { code, message } = response.json() as { code?: string; message?: string }
  throw Object.assign(new Error(`${request.url} answers ${response.statusCode}: ${message}`), { code })
}

async function handles(app: FastifyInstance, { timeoutMs = 1000, lockTimeoutMs = 1000 }: Record<string, unknown>) {
  const late = new Promise<'late'>(resolve => setTimeout(resolve, 3000, 'late').unref())
  const result = await Promise.race([deliver(app, Told, { id: crypto.randomUUID() }), late])
  if (Number(timeoutMs) < 1000 || Number(lockTimeoutMs) < 1000) return
  if (result === 'late') throw new Error(`a delivery is not handled: ${app.inbox.health().reason}`)
  if (result.outcome !== 'handled') throw Object.assign(new Error(`a delivery is ${result.outcome}`), result.error)
}

/** A handler that fails: what becomes of it must be written down. */
async function setsAside(app: FastifyInstance, { retry = {}, pauseAfterKeys = 10 }: Record<string, unknown>) {
  const { quickRetries = 0, quickRetryDelayMs = 0 } = (retry ?? {}) as Record<string, unknown>
  // With so few failing keys it is the world's fault: the group pauses.
  if (Number(pauseAfterKeys) < 3 || Number(quickRetries) > 2 || Number(quickRetryDelayMs) > 100) return
  const late = new Promise<'late'>(resolve => setTimeout(resolve, 3000, 'late').unref())
  const result = await Promise.race([deliver(app, Asked, { id: crypto.randomUUID() }, { source: 'other' }), late])
  if (result === 'late') throw new Error(`a failed delivery is not set aside: ${app.inbox.health().reason}`)
  if (!['set-aside', 'refused'].includes(result.outcome)) throw new Error(`a failed delivery is ${result.outcome}`)
}

const inboxTarget: Target = {
  name: 'inbox',
  plugin: inbox as never,
  schema: InboxSchema,
  kinds: { retry: 'object', onExhausted: 'text' },
  needed: () => ({ closeDeadlineMs: 0, retryPollMs: 0, retry: { quickRetries: 0 } }),
  suitable: () => ({
    group: ['fuzz', 'a', 'a/b', 'x'.repeat(201)],
    schema: schemas,
    retry: [{}, { quickRetries: 0, delaysMs: [] }, { quickRetries: 1, quickRetryDelayMs: 1, delaysMs: [0, 1] }],
    closeDeadlineMs: [0, 1, 10],
    ensureTopics: [{ partitions: 1 }, { partitions: 0 }, {}, { partition: 1 }]
  }),
  before: withOutbox,
  declare(app) {
    app.onEvent(Told, async request => void (await request.tx.query('select 1')))
    app.onEvent(Asked, async () => {
      throw new Error('a handler that fails')
    })
  },
  async use(app, options) {
    await handles(app, options)
    await setsAside(app, options)
    await app.inbox.tick()
  }
}

const sweeperTarget: Target = {
  name: 'sweeper',
  plugin: sweeper as never,
  schema: SweeperOptionsSchema,
  kinds: { pool: 'instance' },
  needed: () => ({ closeDeadlineMs: 100 }),
  suitable: ground => ({
    schema: schemas,
    pool: pools(ground),
    closeDeadlineMs: [1, 100],
    retention: [false, {}, { inboxMs: 0 }, { answersMs: 1, inboxMs: 0, topicRetentionMs: 0, replayWindowMs: 0 }]
  }),
  before: withPool,
  use: async app => void (await app.sweeper.tick())
}

/** All plugins, and options that have members of their own. */
export const TARGETS: readonly Target[] = [
  {
    name: 'outbox',
    plugin: outbox as never,
    schema: OutboxOptionsSchema,
    kinds: { pool: 'instance' },
    needed: () => ({ source: 'fuzz', contracts: [Asked] }),
    suitable: ground => ({
      pool: pools(ground),
      source: ['fuzz', 'a', '.a', 'x'.repeat(200)],
      schema: schemas,
      replyTo: ['fuzz.signals', 'a b'],
      contracts: [
        [Asked],
        [Asked, Told],
        [Asked, Asked],
        [{ ...Asked }, Asked],
        [{}],
        ['fuzz.asked'],
        [Asked, { type: 'fuzz.bare', topic: 'fuzz' }]
      ]
    }),
    before: withPool,
    async use(app) {
      const { contracts } = app.outbox
      await app.outbox.transaction(async tx => {
        for (const contract of contracts.values()) await tx.sendEvent(contract as never, { id: 'k' } as never)
        await tx.query('select 1')
      })
    }
  },
  {
    name: 'relay',
    plugin: relay as never,
    schema: RelayOptionsSchema,
    kinds: { pool: 'instance' },
    needed: () => ({ closeDeadlineMs: 100 }),
    suitable: ground => ({
      schema: schemas,
      pool: pools(ground),
      schedule: [false, true, '* * * * * *', ''],
      closeDeadlineMs: [1, 100],
      notify: [
        true,
        false,
        { connectionString: ground.url },
        { connectionString: '' },
        { connectionString: 'postgres://' },
        {}
      ]
    }),
    async before(app, ground) {
      await withPool(app, ground)
      await withTransport(app)
    },
    async use(app) {
      await app.relay.tick()
      await app.relay.stats()
    }
  },
  sweeperTarget,
  {
    ...sweeperTarget,
    name: 'sweeper retention',
    within: 'retention',
    schema: RetentionSchema,
    kinds: {},
    suitable: () => ({})
  },
  inboxTarget,
  {
    ...inboxTarget,
    name: 'inbox retry',
    within: 'retry',
    schema: RetrySchema,
    kinds: {},
    suitable: () => ({ delaysMs: [[], [0], [1, 2], [2 ** 31], [-1], ['1'], [0.5], [2 ** 53]] })
  },
  {
    name: 'idempotency-key',
    plugin: idempotencyKey as never,
    schema: IdempotencyKeyOptionsSchema,
    kinds: {},
    needed: () => ({ principal: 'shared' }),
    suitable: () => ({
      principal: ['shared', 'me', () => 'me', async () => 'me', () => undefined, () => ''],
      schema: schemas,
      headers: [
        [],
        ['X-Mine'],
        ['Set-Cookie'],
        [''],
        ['a b', '__proto__', 'constructor'],
        ['x'.repeat(1000)],
        [null],
        ['\u0000']
      ]
    }),
    before: withOutbox,
    declare(app) {
      app.post('/', { transaction: true, idempotencyKey: true }, async () => ({ ok: true }))
    },
    async use(app) {
      const request = { method: 'POST' as const, url: '/', headers: { 'idempotency-key': crypto.randomUUID() } }
      await answers(app, request)
      await answers(app, request)
    }
  },
  {
    name: 'reconciliation',
    plugin: reconciliation as never,
    schema: ReconciliationOptionsSchema,
    kinds: { authorize: 'function', pool: 'instance', present: 'function' },
    needed: () => ({ authorize: () => true }),
    suitable: ground => ({
      pool: pools(ground),
      authorize: [() => true, async () => ({ actor: 'me' })],
      present: [() => null, () => 'x'],
      source: ['fuzz', 'a b'],
      consumer: ['fuzz'],
      schema: schemas,
      peers: [
        {},
        { peer: { url: 'http://127.0.0.1:1' } },
        { peer: null },
        { peer: { url: 'ftp://x' } },
        { peer: {} },
        { peer: { url: 'http://a', headers: 1 } },
        { __proto__: null }
      ]
    }),
    before: withOutbox,
    async use(app) {
      await answers(app, { method: 'GET', url: '/events' })
    }
  },
  {
    name: 'transport-kafka',
    plugin: kafkaTransport as never,
    schema: KafkaTransportSchema,
    kinds: { logger: 'instance', sasl: 'object' },
    needed: () => ({ brokers: ['127.0.0.1:1'], closeTimeoutMs: 100 }),
    suitable: () => ({
      brokers: [['127.0.0.1:1'], ['127.0.0.1:1', 'localhost:1'], [], [''], [null], ['no port'], [':1'], ['a:99999']],
      clientId: ['steadfast', 'a b'],
      ssl: [true, false, {}, { ca: 'x' }, { rejectUnauthorized: 7 }],
      sasl: [
        { mechanism: 'plain', username: 'a', password: 'b' },
        { mechanism: 'none' },
        {},
        { mechanism: 'oauthbearer' }
      ],
      connectionTimeoutMs: [1, 10, 1000],
      closeTimeoutMs: [1, 100],
      logger: [silent]
    }),
    before: async () => {},
    use: publishOnce
  },
  {
    name: 'transport-postgres',
    plugin: postgresTransport as never,
    schema: PostgresTransportSchema,
    kinds: { logger: 'instance', pool: 'instance' },
    needed: ({ pool }) => ({ pool, closeTimeoutMs: 100 }),
    suitable: ground => ({
      connectionString: [ground.url, '', 'no url', 'postgres://127.0.0.1:1/x'],
      listenConnectionString: [ground.url, '', 'no url', 'postgres://127.0.0.1:1/x'],
      pool: pools(ground),
      schema: ['steadfast_log', 'pg_log', 'Log', '1'],
      closeTimeoutMs: [1, 100],
      logger: [silent]
    }),
    before: async () => {},
    use: publishOnce
  }
]

async function publishOnce(app: FastifyInstance): Promise<void> {
  const message = { topic: 'fuzz', key: 'k', headers: {}, value: Buffer.from('1') }
  const [result] = await app.transport.publish([message], AbortSignal.timeout(50))
  if (result === undefined) throw new Error('publish gives no answer')
  if (!result.ok) throw result.error
}
