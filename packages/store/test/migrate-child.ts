// A process that migrates the database it is given, or dies in the middle of it.
import { subscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { runMigrations } from '@steadfast/events/migrations'
import pg from 'pg'
import { lendFrom, migrate } from '../src/schema/migrate.ts'
import { later } from './later-steps.ts'

const [url, fate] = process.argv.slice(2)
const pool = new pg.Pool({ connectionString: url })
if (fate === 'crash') {
  subscribe('steadfast:store:migration', () => process.kill(process.pid, 'SIGKILL'))
  await migrate(pool)
} else if (fate === 'index') {
  await runMigrations(lendFrom(pool), later.index)
} else {
  process.send?.('ready')
  await once(process, 'message')
  process.send?.(await migrate(pool))
  await pool.end()
  process.disconnect()
}
