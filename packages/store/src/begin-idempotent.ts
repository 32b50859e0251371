import type { Db } from './db.ts'

/** A request as the table of idempotency keys knows it. */
export interface IdempotentRequest {
  /** Whose key it is: principal, method and route. */
  scope: string
  key: string
  /** What the request asks for; another fingerprint under the same key is another request. */
  fingerprint: string
  /** For how many ms the key is kept. */
  ttlMs: number
  /** How many ms to wait for another transaction that has the key. */
  waitMs: number
}

/** The answer that was stored under a key. */
export interface StoredAnswer {
  fingerprint: string
  status: number
  headers: Record<string, string | string[]>
  /** `null`: the answer had no body. */
  body: Buffer | null
}

/**
 * Takes a key for this transaction, or finds the answer that is stored under it. An expired key is free. A key that
 * another open transaction has taken is waited for; rejects with PostgreSQL's 55P03 when that takes too long.
 *
 * @returns `undefined` when the key is now taken: handle the request and store its answer with `storeAnswer`
 */
export async function beginIdempotent(
  db: Db,
  { scope, key, fingerprint, ttlMs, waitMs }: IdempotentRequest,
  now?: Date
): Promise<StoredAnswer | undefined> {
  const s = db.schema
  for (let attempt = 0; ; attempt++) {
    // The setting is made before the insert meets the lock, and taken back to what it was before.
    const [begun] = await db.rows<{ lockTimeout: string; taken: boolean }>(
      `with before as materialized (select current_setting('lock_timeout') as lock_timeout),
       clock as materialized (
         select coalesce($5::timestamptz, clock_timestamp()) as now, set_config('lock_timeout', $6, true) from before),
       taken as (
         insert into ${s}.idempotency as i (scope, key, fingerprint, created_at, expires_at)
         select $1, $2, $3, now, now + $4 * interval '1 ms' from clock
         on conflict (scope, key) do update set fingerprint = excluded.fingerprint, status = null, headers = null,
           body = null, created_at = excluded.created_at, expires_at = excluded.expires_at
         where i.expires_at <= excluded.created_at
         returning 1)
       select lock_timeout as "lockTimeout", exists (select from taken) as taken from before`,
      [scope, key, fingerprint, ttlMs, now ?? null, String(waitMs)]
    )
    await db.rows(`select set_config('lock_timeout', $1, true)`, [begun?.lockTimeout])
    if (begun?.taken) return undefined
    const [stored] = await db.rows<StoredAnswer>(
      `select fingerprint, status, headers, body from ${s}.idempotency where scope = $1 and key = $2`,
      [scope, key]
    )
    // None: it was purged in between.
    if (stored !== undefined) return stored
    if (attempt === 2) throw new Error('The idempotency key is taken and gone in turns')
  }
}
