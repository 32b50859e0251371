import type { Outgoing } from '@steadfast/events'
import type { Attempt, Database, Limits } from '../database.ts'
import { encodeHeaders } from '../headers.ts'

/** A message and the row id of its partition. */
export interface Placed {
  partitionId: number
  message: Outgoing
}

/**
 * Appends messages, all or none, in one statement. Offsets are taken under the locks of the partitions' rows, which are
 * taken in the order of their ids, so that two publishers cannot wait for each other in a circle.
 *
 * A partition that is gone makes the statement fail (null in "offset"): nothing is dropped silently.
 */
export function insertRecords(db: Database, placed: readonly Placed[], limits: Limits): Promise<Attempt<unknown>> {
  return db.attempt(
    `with incoming as materialized (
       select * from unnest($1::integer[], $2::text[], $3::text[], $4::bytea[])
         with ordinality as m (partition_id, key, headers, value, n)
     ), locked as materialized (
       select id from ${db.schema}.partition where id = any($1) order by id for no key update
     ), counted as (
       select partition_id, count(*) as count from incoming group by partition_id
     ), advanced as (
       update ${db.schema}.partition p set next_offset = p.next_offset + c.count
       from locked l join counted c on c.partition_id = l.id
       where p.id = l.id
       returning p.id, p.next_offset - c.count as first
     )
     insert into ${db.schema}.record (partition_id, "offset", key, headers, value, at)
     select i.partition_id, a.first + row_number() over (partition by i.partition_id order by i.n) - 1,
       i.key, i.headers::json, i.value, clock_timestamp()
     from incoming i left join advanced a on a.id = i.partition_id
     order by i.partition_id, i.n`,
    [
      placed.map(({ partitionId }) => partitionId),
      placed.map(({ message }) => message.key),
      placed.map(({ message }) => encodeHeaders(message.headers)),
      placed.map(({ message }) => message.value)
    ],
    limits
  )
}
