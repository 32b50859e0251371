import type { Database } from '../database.ts'

/** A message as it stands in the log. */
export interface LogRecord {
  partitionId: number
  offset: number
  key: string
  /** As `encodeHeaders` made them. */
  headers: string
  value: Buffer
  at: Date
}

/**
 * Reads up to `share` messages of each partition from an offset on; of all partitions together up to `limit`, and up to
 * some `maxBytes` but at least one.
 */
export async function fetchRecords(
  db: Database,
  wanted: readonly { id: number; from: number }[],
  { share, limit, maxBytes }: { share: number; limit: number; maxBytes: number }
): Promise<LogRecord[]> {
  const rows = await db.rows<Omit<LogRecord, 'offset' | 'at'> & { offset: string; at: string }>(
    `select partition_id as "partitionId", "offset", key, headers::text as headers, value,
       floor(extract(epoch from at) * 1000) as at
     from (
       select r.*, w.n,
         sum(octet_length(r.value)) over (order by w.n, r."offset") - octet_length(r.value) as before
       from unnest($1::integer[], $2::bigint[]) with ordinality as w (partition_id, from_offset, n)
       cross join lateral (
         select * from ${db.schema}.record r
         where r.partition_id = w.partition_id and r."offset" >= w.from_offset
         order by r."offset" limit $3
       ) r
     ) r
     where before < $4
     order by n, "offset" limit $5`,
    [wanted.map(({ id }) => id), wanted.map(({ from }) => from), share, maxBytes, limit]
  )
  return rows.map(row => ({ ...row, offset: Number(row.offset), at: new Date(Number(row.at)) }))
}
