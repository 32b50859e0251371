import fastifyPostgres from '@fastify/postgres'
import { testDatabase, until } from '@steadfast/dev-services'
import { relayOnce } from '@steadfast/relay/testing'
import { migrate } from '@steadfast/store'
import Fastify from 'fastify'
import t from 'tap'
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
