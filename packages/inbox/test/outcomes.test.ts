import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { matchWhole, testDatabase, until } from '@steadfast/dev-services'
import type { FastifyReply } from 'fastify'
import type pg from 'pg'
import t, { type Test } from 'tap'
import type { EventRequest } from '../src/index.ts'
import { deliver } from '../src/testing.ts'
import {
  type Built,
  build,
  effects,
  events,
  groupOf,
  inboxRow,
  insertEffect,
  SIGNALS,
  send,
  Task,
  transports
} from './helper.ts'

type TaskRequest = EventRequest<typeof Task.data>
type Behaviour = (request: TaskRequest, reply: FastifyReply, run: number) => unknown

/** More than any other handler here takes, on a busy machine too. */
const TIMEOUT_MS = 2000

const refuse = (status: number, code?: string) => () => {
  throw Object.assign(new Error(`no: ${status}`), { statusCode: status, code })
}
const pgError = async (request: TaskRequest, sqlState: string) =>
  await request.tx.query(`do $$ begin raise exception 'made' using errcode = '${sqlState}'; end $$`)

/** Runs on every transport: what a handler does once or always, and what is found afterwards. */
const TABLE: {
  name: string
  first?: Behaviour
  always?: Behaviour
  row: object | undefined
  effects: number[]
  runs: number
  signal?: object
  more?: (t: Test, built: Built, id: string) => Promise<void>
}[] = [
  { name: '200', row: { state: 'DONE', outcome: 200, body: null }, effects: [1], runs: 1 },
  {
    name: '204, sent without returning the reply',
    always: async (request, reply) => {
      await insertEffect(request.tx, request.body)
      reply.code(204).send()
    },
    row: { state: 'DONE', outcome: 204 },
    effects: [1],
    runs: 1
  },
  ...[400, 404, 409, 410, 422].map(status => ({
    name: `${status} thrown by the handler is a verdict`,
    always: refuse(status, 'APP_NO'),
    row: { state: 'REFUSED', outcome: status, error: { code: 'APP_NO', message: `no: ${status}`, status } },
    effects: [],
    runs: 1,
    signal: { status, code: 'APP_NO', message: `no: ${status}` }
  })),
  ...[401, 403, 413, 415].map(status => ({
    name: `${status} of the handler itself is a verdict`,
    always: refuse(status),
    row: { state: 'REFUSED', outcome: status },
    effects: [],
    runs: 1
  })),
  {
    name: '409 sent without a throw is a verdict',
    always: async (request, reply) => {
      await insertEffect(request.tx, request.body)
      return reply.code(409).send({ message: 'sold out', code: 'SOLD_OUT' })
    },
    row: { state: 'REFUSED', outcome: 409, error: { message: 'sold out', code: 'SOLD_OUT' } },
    effects: [],
    runs: 1,
    signal: { status: 409, code: 'SOLD_OUT', message: 'sold out' }
  },
  ...[408, 425, 429, 503].map(status => ({
    name: `${status} waits, uncounted`,
    first: (_: TaskRequest, reply: FastifyReply) => reply.code(status).header('retry-after', '0').send(),
    row: { state: 'DONE', attempts: 0 },
    effects: [1],
    runs: 2
  })),
  ...['40001', '40P01', '55P03', '57P01', '53100', '25006'].map(code => ({
    name: `${code} from PostgreSQL runs again, uncounted`,
    first: (request: TaskRequest) => pgError(request, code),
    row: { state: 'DONE', attempts: 0 },
    effects: [1],
    runs: 2
  })),
  {
    name: '40001 that the handler made a 400 of runs again all the same',
    first: async (request, reply) => {
      await pgError(request, '40001').catch(() => {})
      return reply.code(400).send()
    },
    row: { state: 'DONE' },
    effects: [1],
    runs: 2
  },
  {
    name: '500 once: the quick retry does it',
    first: refuse(500),
    row: { state: 'DONE', attempts: 0 },
    effects: [1],
    runs: 2
  },
  {
    name: 'a throw once',
    first: () => Promise.reject(new Error('oops')),
    row: { state: 'DONE' },
    effects: [1],
    runs: 2
  },
  {
    name: '302 once: no answer to an event, nothing committed',
    first: async (request, reply) => {
      await insertEffect(request.tx, request.body)
      return reply.redirect('/')
    },
    row: { state: 'DONE', outcome: 200 },
    effects: [1],
    runs: 2
  },
  {
    name: 'a transaction that the handler rolled back is no success',
    first: async request => {
      await request.server.outbox.control(request.tx).rollback()
    },
    row: { state: 'DONE' },
    effects: [1],
    runs: 2
  },
  {
    name: 'always 500: set aside, retried, held',
    always: refuse(500, 'APP_DOWN'),
    row: { state: 'HELD', attempts: 3, error: { code: 'APP_DOWN' } },
    effects: [],
    runs: 4,
    more: async (t, { pool }, id) => {
      t.ok((await inboxRow(pool, id))?.body?.length, 'with its body')
      t.same(await events(pool), [], 'the sender is not told')
    }
  },
  {
    name: 'a timeout is a failure; what it did afterwards is void',
    first: async request => {
      await insertEffect(request.tx, request.body)
      await sleep(TIMEOUT_MS + 100)
      await insertEffect(request.tx, request.body)
    },
    row: { state: 'DONE' },
    effects: [1],
    runs: 2
  }
]

for (const { name: transport, skip, transport: plugin } of transports(t)) {
  t.test(`outcomes over ${transport}`, { skip }, async t => {
    const behaviours = new Map<string, Behaviour>()
    const runs = new Map<string, number>()
    const database = await testDatabase(t)
    const built = await build(
      t,
      app => {
        app.onEvent(Task, { timeoutMs: TIMEOUT_MS }, async (request, reply) => {
          const run = (runs.get(request.event.id) ?? 0) + 1
          runs.set(request.event.id, run)
          const behave = behaviours.get(request.body.id)
          if (behave) {
            const result = await behave(request, reply, run)
            if (result !== 'pass') return result
          }
          await insertEffect(request.tx, request.body)
        })
      },
      { database, transport: plugin(database.url) }
    )
    const { app, pool } = built
    for (const [n, row] of TABLE.entries()) {
      await t.test(row.name, async t => {
        const key = `${n}`
        const { first, always } = row
        if (always) behaviours.set(key, always)
        if (first) behaviours.set(key, (request, reply, run) => (run === 1 ? first(request, reply, run) : 'pass'))
        const id = await send(app, Task, { id: key, n: 1 }, { replyTo: SIGNALS })
        const found = await until(async () => await settled(built, id), { what: row.name })
        t.match(found, row.row)
        t.same(await effects(pool, key), row.effects)
        t.equal(runs.get(id), row.runs, 'runs')
        const signals = (await events(pool, 'steadfast.refused')).filter(e => e.causation_id === id)
        matchWhole(
          t,
          signals,
          row.signal
            ? [
                {
                  payload: { ...row.signal, eventId: id, consumer: groupOf('worker') },
                  topic: SIGNALS,
                  key,
                  is_answer: true
                }
              ]
            : signals
        )
        t.equal(signals.length, (row.row as { state: string }).state === 'REFUSED' ? 1 : 0)
        await row.more?.(t, built, id)
        await pool.query('delete from steadfast.event')
      })
    }
    await t.test('all offsets advanced', async () => {
      await until(async () => (await app.inbox.lag()) === 0n, { what: 'lag 0' })
    })
  })
}

/** The row when the machine has done with it; runs due retries on the way. */
async function settled({ app, pool }: Built, id: string) {
  await app.inbox.tick()
  const row = await inboxRow(pool as pg.Pool, id)
  return row !== undefined && ['DONE', 'REFUSED', 'HELD'].includes(row.state) ? row : undefined
}

t.test('a reply that was taken away is a failure', async t => {
  let runs = 0
  const { app, pool } = await build(t, app => {
    app.onEvent(Task, { timeoutMs: 500 }, async (request, reply) => {
      await insertEffect(request.tx, request.body)
      if (++runs === 1) return reply.hijack()
    })
  })
  t.match(await deliver(app, Task, { id: 'k', n: 1 }), { outcome: 'handled' })
  t.equal(runs, 2)
  t.same(await effects(pool), [1])
})

t.test('a statement, or idling, beyond the deadline is a failure, and counts', async t => {
  for (const slow of ['statement', 'idling']) {
    const id = randomUUID()
    const { app, pool } = await build(t, app => {
      app.onEvent(Task, { timeoutMs: 100, retry: { quickRetries: 0 } }, async request => {
        if (slow === 'statement') await request.tx.query('select pg_sleep(10)')
        else {
          await request.tx.query('set local idle_in_transaction_session_timeout = 20')
          await sleep(60)
          await request.tx.query('select 1')
        }
      })
    })
    t.match(await deliver(app, Task, { id: 'k', n: 1 }, { id }), { outcome: 'set-aside' }, slow)
    t.match(await inboxRow(pool, id), { state: 'RETRY', attempts: 1 })
  }
})

t.test('a key of any length waits like others', async t => {
  const key = 'ä'.repeat(100_000)
  const { app, pool } = await build(t, app => {
    app.onEvent(Task, { retry: { quickRetries: 0 } }, async request => {
      if (request.body.n === 1) throw new Error('broken')
    })
  })
  t.match(await deliver(app, Task, { id: 'k', n: 1 }, { key }), { outcome: 'set-aside' })
  t.match(await deliver(app, Task, { id: 'k', n: 2 }, { key }), { outcome: 'blocked' })
  t.equal((await pool.query('select from steadfast.inbox')).rowCount, 2)
})
