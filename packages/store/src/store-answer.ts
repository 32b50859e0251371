import type { StoredAnswer } from './begin-idempotent.ts'
import type { Db } from './db.ts'

/** Stores the answer of a request under the key that its transaction took with `beginIdempotent`. */
export async function storeAnswer(
  db: Db,
  { scope, key }: { scope: string; key: string },
  { status, headers, body }: Omit<StoredAnswer, 'fingerprint'>
): Promise<void> {
  await db.rows(
    `update ${db.schema}.idempotency set status = $3, headers = $4::json, body = $5 where scope = $1 and key = $2`,
    [scope, key, status, JSON.stringify(headers), body]
  )
}
