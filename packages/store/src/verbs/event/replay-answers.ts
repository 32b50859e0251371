import type { Db } from '../../db.ts'

/**
 * Makes the stored answers to an event due again, under their own ids and marked as a replay. Of a refused event that
 * is the refusal, of any other what was answered since; of an answer that was corrected, the correction. Answers of other
 * services in the same schema are theirs. One that was erased is there, and is not sent.
 *
 * @returns how many answers there are, on their way or not
 */
export async function replayAnswers(
  db: Db,
  { causationId, source, of = 'DONE' }: { causationId: string; source: string; of?: 'DONE' | 'REFUSED' }
): Promise<{ answers: number }> {
  const s = db.schema
  const which = `causation_id = $1 and source = $3 and is_answer and superseded_by is null and (type = 'steadfast.refused') = ($2 = 'REFUSED')`
  const rows = await db.rows<{ answers: number }>(
    `with again as (
       update ${s}.event set due = true, replay = true, updated_at = clock_timestamp()
       where ${which} and not due and erased_at is null and status in ('PUBLISHED', 'CONFIRMED', 'RESOLVED'))
     select count(*)::integer as answers from ${s}.event where ${which}`,
    [causationId, of, source]
  )
  return { answers: rows[0]?.answers ?? 0 }
}
