import type { Database } from '../database.ts'

/** Where the partitions of topics end now: by the partition's id, the offset of its next message. */
export async function readEnds(db: Database, topics: readonly string[]): Promise<Record<string, string>> {
  const rows = await db.rows<{ id: number; end: string }>(
    `select id, next_offset as "end" from ${db.schema}.partition where topic = any($1)`,
    [topics]
  )
  return Object.fromEntries(rows.map(({ id, end }) => [id, end]))
}
