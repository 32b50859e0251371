import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

/** What these helpers need of a tap test. */
export interface Teardown {
  teardown(handler: () => unknown): void
}

export interface TestDatabase {
  /** Through pgbouncer when the run goes through it, as is `pool`. */
  url: string
  /** Always the server itself: for LISTEN and for a look from the side. */
  directUrl: string
  pool: pg.Pool
  /** As after a failover: every session ends, and those that follow are read-only, or no longer. */
  setReadOnly(on: boolean): Promise<void>
  /** Drops the database at once, with its connections; at teardown this happens by itself. */
  drop(): Promise<void>
}

async function runOnServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

/**
 * Creates an empty database on the server of the environment variable `TEST_PG_URL`. At teardown the pool is ended
 * and the database dropped, whoever still is connected to it.
 */
export async function testDatabase(t: Teardown): Promise<TestDatabase> {
  const server = process.env.TEST_PG_URL
  if (server === undefined) {
    throw new Error('TEST_PG_URL is not set: run tests by packages/dev-services/src/bin/tap.ts FILES…')
  }
  const name = `test_${process.pid}_${randomBytes(6).toString('hex')}`
  await runOnServer(server, `create database ${name} template template0`)
  const address = new URL(server)
  address.pathname = `/${name}`
  const directUrl = address.href
  if (process.env.TEST_PGBOUNCER_PORT !== undefined) address.port = process.env.TEST_PGBOUNCER_PORT
  const url = address.href
  const pool = new pg.Pool({ connectionString: url })
  // an idle client whose server goes away must not end the test process
  pool.on('error', () => {})
  pool.on('connect', client => client.on('error', () => {}))
  let dropped: Promise<void> | undefined
  const dropNow = async () => {
    // end() waits for clients that a failed test may have left checked out; dropping by force ends those too
    if (!pool.ended && !pool.ending) await Promise.race([pool.end(), sleep(500, undefined, { ref: false })])
    await runOnServer(server, `drop database if exists ${name} with (force)`)
  }
  const drop = () => {
    dropped ??= dropNow()
    return dropped
  }
  t.teardown(drop)
  const setReadOnly = async (on: boolean) => {
    await runOnServer(server, `alter database ${name} set default_transaction_read_only = ${on}`)
    // a pooler's connections to the server are among them, and keep what they found when they began
    await runOnServer(server, `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`)
  }
  return { url, directUrl, pool, setReadOnly, drop }
}
