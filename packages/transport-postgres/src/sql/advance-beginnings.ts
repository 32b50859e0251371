import type { Database } from '../database.ts'
import type { Beginning } from './purge-records.ts'

/** Notes where partitions begin; never moves one back. Apart from the deletion, so that publishers need not wait for it. */
export async function advanceBeginnings(db: Database, beginnings: readonly Beginning[]): Promise<void> {
  await db.rows(
    `with locked as materialized (
       select id from ${db.schema}.partition where id = any($1) order by id for no key update
     )
     update ${db.schema}.partition p set first_offset = b.first
     from locked l, unnest($1::integer[], $2::bigint[]) as b (id, first)
     where p.id = l.id and b.id = l.id and p.first_offset < b.first`,
    [beginnings.map(b => b.id), beginnings.map(b => b.first)]
  )
}
