import { randomUUID } from 'node:crypto'
import t from 'tap'
import { readRetryAfter } from '../src/retry-after.ts'
import { deliver } from '../src/testing.ts'
import { build, FAST, inboxRow, insertEffect, Task } from './helper.ts'

const HOUR_MS = 3_600_000
const NOW = Date.parse('2026-01-01T00:00:00Z')
for (const [value, expected] of [
  ['0', { ms: 0 }],
  ['120', { ms: 120_000 }],
  [120, { ms: 120_000 }],
  ['3600', { ms: HOUR_MS }],
  ['2147484', { ms: HOUR_MS, cut: '2147484' }],
  ['9999999999999999', { ms: HOUR_MS, cut: '9999999999999999' }],
  ['9'.repeat(400), { ms: HOUR_MS, cut: '9'.repeat(100) }],
  [Number.POSITIVE_INFINITY, { ms: HOUR_MS, cut: 'Infinity' }],
  ['Thu, 01 Jan 2026 00:01:00 GMT', { ms: 60_000 }],
  ['Wed, 01 Jan 2020 00:00:00 GMT', { ms: 0 }],
  ['Fri, 01 Jan 9999 00:00:00 GMT', { ms: HOUR_MS, cut: 'Fri, 01 Jan 9999 00:00:00 GMT' }],
  ['-5', {}],
  [-5, {}],
  [Number.NaN, {}],
  ['1e99', {}],
  ['soon', {}],
  ['', {}],
  [['1'], {}],
  [undefined, {}]
] as const)
  t.test(`retry-after ${JSON.stringify(value)?.slice(0, 40)}`, async t =>
    t.strictSame(readRetryAfter(value, NOW), expected)
  )

for (const value of ['2147484', '9999999999999999', 'Fri, 01 Jan 9999 00:00:00 GMT'])
  t.test(`a handler that asks to wait until ${value}: asked again after an hour, the group goes on`, async t => {
    let runs = 0
    const lines: string[] = []
    const { app, pool } = await build(
      t,
      app => {
        app.onEvent(Task, async (request, reply) => {
          if (request.body.n > 0) return void (await insertEffect(request.tx, request.body))
          runs++
          return reply.code(503).header('retry-after', value).send()
        })
      },
      { server: { logger: { level: 'warn', stream: { write: (line: string) => void lines.push(line) } } } }
    )
    const ids = [randomUUID(), randomUUID()]
    for (const id of ids) t.equal((await deliver(app, Task, { id, n: 0 }, { id })).outcome, 'set-aside')
    t.equal((await deliver(app, Task, { id: 'k', n: 1 })).outcome, 'handled')
    t.equal(runs, 2)
    const { rows } = await pool.query(
      `select attempts, extract(epoch from due_at - received_at) between 3500 and 3700 as in_an_hour from steadfast.inbox where state = 'RETRY'`
    )
    t.same(rows, [
      { attempts: 0, in_an_hour: true },
      { attempts: 0, in_an_hour: true }
    ])
    t.equal(lines.filter(line => line.includes('more than an hour')).length, 1, 'said once')
    await pool.query('update steadfast.inbox set due_at = clock_timestamp() where due_at is not null')
    t.equal(await app.inbox.tick(), 0)
    t.equal(runs, 4, 'each once')
    t.same(app.inbox.health(), { ready: true })
  })

t.test('asked to wait again and again for nothing: not in a loop, but set aside', async t => {
  let runs = 0
  const { app } = await build(t, app => {
    app.onEvent(Task, async (_, reply) => {
      runs++
      return reply.code(503).header('retry-after', '0').send()
    })
  })
  t.equal((await deliver(app, Task, { id: 'k', n: 1 })).outcome, 'set-aside')
  t.equal(runs, 4)
})

t.test('transactions that are in the way of others: again for a while, then a failure that counts', async t => {
  let runs = 0
  const { app, pool } = await build(
    t,
    app => {
      app.onEvent(Task, async request => {
        runs++
        await request.tx.query(`do $$ begin raise exception 'always' using errcode = '40001'; end $$`)
      })
    },
    { inbox: { ...FAST, retry: { quickRetries: 3, quickRetryDelayMs: 1, delaysMs: [0] } } }
  )
  const id = randomUUID()
  t.equal((await deliver(app, Task, { id: 'k', n: 1 }, { id })).outcome, 'set-aside')
  t.equal(runs, 11)
  t.equal((await inboxRow(pool, id))?.attempts, 1)
  await app.inbox.tick()
  t.equal(runs, 22)
  t.equal((await inboxRow(pool, id))?.state, 'HELD')
})
