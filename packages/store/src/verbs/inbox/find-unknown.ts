import type { Db } from '../../db.ts'

/** Which of these ids this service has no event of. */
export async function findUnknown(db: Db, ids: readonly string[]): Promise<string[]> {
  const rows = await db.rows<{ id: string }>(
    `select a.id from unnest($1::uuid[]) as a(id) where not exists (select from ${db.schema}.event e where e.id = a.id)`,
    [ids]
  )
  return rows.map(row => row.id)
}
