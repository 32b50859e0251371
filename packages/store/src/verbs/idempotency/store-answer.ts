import type { Db } from '../../db.ts'
import type { StoredAnswer } from './begin-idempotent.ts'

/**
 * Stores the answer of a request under the key that its transaction took with `beginIdempotent`.
 *
 * @returns false when the key is not there: a ROLLBACK TO a savepoint from before has undone it
 */
export async function storeAnswer(
  db: Db,
  { scope, key }: { scope: string; key: string },
  { status, headers, body }: Omit<StoredAnswer, 'fingerprint'>
): Promise<boolean> {
  const rows = await db.rows(
    `update ${db.schema}.idempotency set status = $3, headers = $4::json, body = $5
     where scope = $1 and key = $2 and status is null returning 1`,
    [scope, key, status, JSON.stringify(headers), body]
  )
  return rows.length > 0
}
