import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pool } from 'pg'

const LOCK = 0x6d69_6772

/** Runs the `.sql` files of a folder that have not run yet, in order of their names, in one transaction under a lock. */
export async function applyMigrations(pool: Pool, folder: string): Promise<string[]> {
  const files = (await readdir(folder)).filter(name => name.endsWith('.sql')).sort()
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query('select pg_advisory_xact_lock($1)', [LOCK])
    await client.query('create table if not exists applied_migration (name text primary key)')
    const { rows } = await client.query<{ name: string }>('select name from applied_migration')
    const applied = new Set(rows.map(row => row.name))
    const pending = files.filter(name => !applied.has(name))
    for (const name of pending) {
      await client.query(await readFile(join(folder, name), 'utf8'))
      await client.query('insert into applied_migration (name) values ($1)', [name])
    }
    await client.query('commit')
    client.release()
    return pending
  } catch (error) {
    client.release(true)
    throw error
  }
}
