import { testDatabase, until } from '@steadfast/dev-services'
import { runMigrations } from '@steadfast/events/migrations'
import type pg from 'pg'
import t from 'tap'
import { lendFrom, migrate } from '../src/schema/migrate.ts'
import { IMPATIENT, later, NEXT } from './later-steps.ts'

// a busy machine takes its time
t.setTimeout(240_000)

/** A report that runs on the table of events. */
async function hold(pool: pg.Pool, isolation = 'read committed'): Promise<{ pid: number; release(): Promise<void> }> {
  const client = await pool.connect()
  await client.query(`begin isolation level ${isolation}`)
  await client.query('select count(*) from steadfast.event')
  const { rows } = await client.query('select pg_backend_pid() as pid')
  return {
    pid: rows[0].pid,
    async release() {
      await client.query('commit')
      client.release()
    }
  }
}

const waits = `select 1 from pg_locks where mode = 'AccessExclusiveLock' and not granted and locktype = 'relation'
  and database = (select oid from pg_database where datname = current_database())`

t.test(
  'a table that somebody holds: the step is given up in bounded time and names them; nobody queues for long',
  async t => {
    const { pool } = await testDatabase(t)
    await migrate(pool)
    const holder = await hold(pool)
    let waitedMs = 0
    let over = false
    const others = (async () => {
      while (!over) {
        const began = performance.now()
        await pool.query('select count(*) from steadfast.event')
        waitedMs = Math.max(waitedMs, performance.now() - began)
      }
    })()
    await t.rejects(runMigrations(lendFrom(pool), later.wider, IMPATIENT), {
      code: 'SF_STORE_MIGRATION_LOCKED',
      message: new RegExp(`Migration ${NEXT} \\(wider\\).*Process ${holder.pid} holds table event.*idle in transaction`)
    })
    over = true
    await others
    t.ok(waitedMs < 10 * IMPATIENT.lockTimeoutMs, `others waited ${waitedMs} ms`)
    await holder.release()
    t.same(await runMigrations(lendFrom(pool), later.wider, IMPATIENT), [NEXT])
  }
)

t.test('a step tries again, and gets through when the table is free', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const holder = await hold(pool)
  const limits = { ...IMPATIENT, attempts: 1000 }
  const migrating = runMigrations(lendFrom(pool), later.wider, limits)
  for (const wanted of [1, 0, 1])
    await until(async () => (await pool.query(waits)).rows.length === wanted, { what: 'attempts come and go' })
  await holder.release()
  t.same(await migrating, [NEXT])
})
