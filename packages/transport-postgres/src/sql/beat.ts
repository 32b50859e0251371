import type { Database } from '../database.ts'
import type { Identity } from './identity.ts'

/**
 * Keeps a member and its leases alive, by the database's clock, and removes dead members of the group.
 *
 * @returns whether the member is new to the group (or had been removed as dead)
 */
export async function beat(db: Database, { group, id, topics }: Identity, leaseMs: number): Promise<boolean> {
  const [row] = await db.rows<{ joined: boolean }>(
    `with me as (
       insert into ${db.schema}.member as m (group_name, id, topics, joined_at, expires_at)
       values ($1, $2, $3, clock_timestamp(), clock_timestamp() + $4 * interval '1 millisecond')
       on conflict (group_name, id) do update set expires_at = excluded.expires_at
       returning xmax = 0 as joined
     ), dead as (
       select group_name, id from ${db.schema}.member
       where group_name = $1 and id <> $2 and expires_at < clock_timestamp()
       for update skip locked
     ), removed as (
       delete from ${db.schema}.member m using dead d where m.group_name = d.group_name and m.id = d.id
     ), renewed as (
       update ${db.schema}.group_offset set expires_at = clock_timestamp() + $4 * interval '1 millisecond'
       where group_name = $1 and owner = $2
     )
     select joined from me`,
    [group, id, topics, leaseMs]
  )
  return row?.joined ?? false
}
