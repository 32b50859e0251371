import type { Database } from '../database.ts'

/** Creates a topic with its partitions; one that exists stays as it is. */
export async function ensureTopic(db: Database, name: string, partitions: number): Promise<void> {
  await db.rows(
    `with topic as (
       insert into ${db.schema}.topic (name, partitions) values ($1, $2) on conflict (name) do nothing returning name
     )
     insert into ${db.schema}.partition (topic, partition)
     select name, n from topic, generate_series(0, $2 - 1) as n`,
    [name, partitions]
  )
}
