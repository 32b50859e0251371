import { doctor, migrate } from '@steadfast/store'
import pg from 'pg'

export async function prepare(connectionString: string): Promise<void> {
  const pool = new pg.Pool({ connectionString })
  const applied = await migrate(pool)
  console.log(applied.length === 0 ? 'nothing to do' : `applied ${applied.join(', ')}`)
  for (const difference of await doctor(pool)) console.error(difference)
  await pool.end()
}
