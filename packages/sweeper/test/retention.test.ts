import fastifyPostgres from '@fastify/postgres'
import { matchWhole, until } from '@steadfast/dev-services'
import { relayOnce } from '@steadfast/relay/testing'
import Fastify from 'fastify'
import t from 'tap'
import sweeper from '../src/index.ts'
import { sweepOnce } from '../src/testing.ts'
import { market, request } from './helper.ts'

const DAY = 86_400_000

t.test('finished rows go when they are old, and nothing else, in bounded batches', async t => {
  const { app, write, rows, pool } = await market(t, { purgeBatch: 7 })
  await write(Array.from({ length: 40 }, () => request({ awaitsFrom: null })))
  await write(Array.from({ length: 5 }, () => request()))
  await relayOnce(app)
  await write([request()])
  await pool.query(
    `insert into steadfast.idempotency (scope, key, fingerprint, expires_at) values ('s', 'k', 'f', now())`
  )
  t.match(await sweepOnce(app), { purged: 1 }, 'only the expired response')
  // What awaits an answer would be resent at that time.
  await pool.query('update steadfast.event set deadline = null')
  t.match(await sweepOnce(app, { now: new Date(Date.now() + 15 * DAY) }), { purged: 40 })
  matchWhole(t, await rows(), [...Array(5).fill({ status: 'PUBLISHED' }), { status: 'NEW' }])
})

t.test('an ordinary tick removes a little, and waits for no lock', async t => {
  const { app, write, rows, pool } = await market(t, { purgeBatch: 3, lockTimeoutMs: 50 })
  await write(Array.from({ length: 100 }, () => request({ awaitsFrom: null })))
  await relayOnce(app)
  const now = new Date(Date.now() + 15 * DAY)
  const [held] = await rows()
  const holder = await pool.connect()
  await holder.query('begin')
  await holder.query('select from steadfast.event where id = $1 for update', [held?.id])
  const { purged } = await app.sweeper.tick({ now })
  t.equal(purged, 29, 'ten batches of three, but for the row that is held')
  await holder.query('rollback')
  await holder.query('begin')
  await holder.query('lock table steadfast.event')
  await t.rejects(app.sweeper.tick({ now }), { code: '55P03' })
  await holder.query('rollback')
  holder.release()
  await until(async () => ((await app.sweeper.tick({ now })).purged === 0 ? true : undefined))
  await sweepOnce(app, { now })
  t.same(await rows(), [])
})

t.test('rows that deduplicate stay as long as a duplicate may come, or the server does not start', async t => {
  const { pool } = await market(t)
  const start = async (retention: object) => {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(fastifyPostgres, { connectionString: 'postgres://127.0.0.1:1/none' })
    await app.register(sweeper, { schedule: false, pool, retention })
  }
  await t.rejects(start({ inboxMs: 13 * DAY }), { code: 'SF_SWEEPER_RETENTION_INVALID' })
  await t.rejects(start({ topicRetentionMs: 30 * DAY }), { code: 'SF_SWEEPER_RETENTION_INVALID' })
  await t.rejects(start({ replayWindowMs: 8 * DAY }), { code: 'SF_SWEEPER_RETENTION_INVALID' })
  await t.rejects(start({ inboxMs: 15 * DAY }), { code: 'SF_SWEEPER_RETENTION_INVALID' }, 'answers stay longer still')
  await t.rejects(start({ inboxsMs: 15 * DAY }), { code: 'SF_OPTIONS_INVALID', message: /did you mean "inboxMs"/ })
  await t.resolves(start({ inboxMs: 40 * DAY, answersMs: 40 * DAY, topicRetentionMs: 30 * DAY }))
})
