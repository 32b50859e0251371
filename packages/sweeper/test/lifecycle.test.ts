import fastifyPostgres from '@fastify/postgres'
import { testDatabase, until } from '@steadfast/dev-services'
import { relayOnce } from '@steadfast/relay/testing'
import { migrate } from '@steadfast/store'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { afterSweep } from '../src/channels.ts'
import sweeper from '../src/index.ts'
import { sweepOnce } from '../src/testing.ts'
import { market, request } from './helper.ts'

t.test('a scheduled sweeper works by itself and outlives killed connections', async t => {
  const { app, start, write, rows, pool } = await market(t)
  await start({ schedule: true })
  await write([request({ confirmWithinMs: 1 })])
  await relayOnce(app)
  await until(async () => (await rows('due and count = 1')).length === 1, { what: 'a resend' })
  await pool.query(`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`)
  const relayed = () =>
    relayOnce(app).then(
      () => true,
      () => false
    )
  await until(relayed, { what: 'the relay has a connection again' })
  await until(async () => (await rows('due and count = 2')).length === 1, { what: 'another resend' })
})

/** The time of day of this process, as if somebody had put its clock forward or back. */
function shiftDate(t: Test, ms: number): void {
  const RealDate = Date
  class ShiftedDate extends RealDate {
    constructor(...given: unknown[]) {
      super(...((given.length === 0 ? [RealDate.now() + ms] : given) as [number]))
    }
    static override now(): number {
      return RealDate.now() + ms
    }
  }
  globalThis.Date = ShiftedDate as DateConstructor
  t.teardown(() => {
    globalThis.Date = RealDate
  })
}

t.test('a clock of the process that jumps keeps no sweep from its time, and nothing catches up', async t => {
  for (const [name, ms] of [
    ['an hour back', -3_600_000],
    ['a day ahead', 86_400_000]
  ] as const)
    await t.test(name, async t => {
      const { start } = await market(t)
      const app = await start({ schedule: true, sweepIntervalMs: 50 })
      let sweeps = 0
      const listener = () => void sweeps++
      afterSweep.subscribe(listener)
      t.teardown(() => afterSweep.unsubscribe(listener))
      await until(() => sweeps >= 2)
      shiftDate(t, ms)
      const before = sweeps
      const from = performance.now()
      await until(() => sweeps >= before + 10, { what: 'sweeps after the jump' })
      t.ok(sweeps < before + 100, `${sweeps - before} sweeps in ${Math.round(performance.now() - from)} ms`)
      await app.close()
    })
})

t.test('health tells what was done last, and that the database is read-only', async t => {
  const { app, write, setReadOnly } = await market(t)
  t.same(app.sweeper.health(), { ready: true })
  await write([request({ confirmWithinMs: 1 })])
  await relayOnce(app)
  await until(async () => (await sweepOnce(app)).resent.length === 1)
  const { ready, last } = app.sweeper.health()
  t.equal(ready, true)
  t.match(last, { agoMs: Number, resent: 1, parked: 0, purged: 0 })
  await setReadOnly(true)
  await until(async () => {
    await sweepOnce(app).catch(() => {})
    return /^database: it is read-only/.test(app.sweeper.health().reason ?? '')
  })
  t.match(app.sweeper.health(), { ready: false, last: { resent: 1 } })
  await setReadOnly(false)
  await until(async () => {
    await sweepOnce(app).catch(() => {})
    return app.sweeper.health().ready
  })
  await app.close()
  t.match(app.sweeper.health(), { ready: false, reason: 'the sweeper is closing' })
})

t.test('after close nothing ticks; options and schema are checked', async t => {
  const { app } = await market(t)
  await app.close()
  await t.rejects(sweepOnce(app), { code: 'SF_SWEEPER_CLOSED' })
  const { url, pool } = await testDatabase(t)
  const start = async (options: object) => {
    const other = Fastify()
    t.teardown(() => other.close())
    await other.register(fastifyPostgres, { connectionString: url })
    await other.register(sweeper, options)
    await other.ready()
  }
  await t.rejects(start({ sweepIntervalMS: 1 }), { code: 'SF_OPTIONS_INVALID', message: /"sweepIntervalMs"/ })
  await t.rejects(start({ pool: {} }), { code: 'SF_OPTIONS_INVALID', message: /"pool" must be a pool/ })
  const tooLong = { statementTimeoutMs: 2 ** 31 - 1 }
  await t.rejects(
    start(tooLong),
    { code: 'SF_OPTIONS_INVALID', message: /"statementTimeoutMs"/ },
    'no timer is so long'
  )
  const forEver = { retention: { eventsMs: Number.MAX_SAFE_INTEGER } }
  await t.rejects(start(forEver), { code: 'SF_OPTIONS_INVALID', message: /"eventsMs"/ }, 'there is no such date')
  await t.rejects(start({}), { code: 'SF_STORE_SCHEMA_OLDER' })
  await t.rejects(start({ schema: 'a; drop' }), { code: 'SF_STORE_IDENTIFIER_INVALID' })
  await migrate(pool, { schema: 'other' })
  await t.resolves(start({ schema: 'other', schedule: false }))
})
