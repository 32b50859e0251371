import type { Db } from '../../db.ts'

/** A request as the table of idempotency keys knows it. */
export interface IdempotentRequest {
  /** Where the key counts: method and route. */
  scope: string
  /** Whose key it is, and which. */
  key: string
  /** What the request asks for; another fingerprint under the same key is another request. */
  fingerprint: string
  /** For how many ms the key is kept. */
  ttlMs: number
}

/** The answer that was stored under a key. */
export interface StoredAnswer {
  fingerprint: string
  status: number
  headers: Record<string, string | string[]>
  /** `null`: the answer had no body. */
  body: Buffer | null
}

interface Begun extends StoredAnswer {
  taken: boolean
  isStored: boolean
  /** Another open transaction has the key. */
  isInProgress: boolean
}

/**
 * Takes a key for this transaction, or finds the answer that is stored under it. An expired key is free. Waits for
 * nobody: that another open transaction has taken the key is told at once, by an advisory lock, which ends with that
 * transaction however it ends.
 *
 * @returns `'taken'`: handle the request and store its answer with `storeAnswer`; `'in-progress'`: another transaction
 * does that now
 */
export async function beginIdempotent(
  db: Db,
  { scope, key, fingerprint, ttlMs }: IdempotentRequest,
  now?: Date
): Promise<StoredAnswer | 'taken' | 'in-progress'> {
  const s = db.schema
  for (let attempt = 0; ; attempt++) {
    // The lock is not asked for where an answer is stored: those who are given it do not stand in each other's way.
    const [begun] = await db.rows<Begun>(
      `with clock as materialized (select coalesce($5::timestamptz, clock_timestamp()) as now),
       stored as materialized (
         select i.fingerprint, i.status, i.headers, i.body from ${s}.idempotency i, clock
         where i.scope = $1 and i.key = $2 and i.expires_at > clock.now),
       lock as materialized (
         select pg_try_advisory_xact_lock(hashtextextended(json_build_array($6::text, $1::text, $2::text)::text, 0)) as got
         where not exists (select from stored)),
       taken as (
         insert into ${s}.idempotency as i (scope, key, fingerprint, created_at, expires_at)
         select $1, $2, $3, clock.now, clock.now + $4 * interval '1 ms' from clock, lock where lock.got
         on conflict (scope, key) do update set fingerprint = excluded.fingerprint, status = null, headers = null,
           body = null, created_at = excluded.created_at, expires_at = excluded.expires_at
         where i.expires_at <= excluded.created_at
         returning 1)
       select exists (select from taken) as taken, exists (select from stored) as "isStored",
         exists (select from lock where not got) as "isInProgress", stored.*
       from clock left join stored on true`,
      [scope, key, fingerprint, ttlMs, now ?? null, `${s}.idempotency`]
    )
    if (begun?.taken) return 'taken'
    if (begun?.isInProgress) return 'in-progress'
    if (begun?.isStored) {
      const { status, headers, body } = begun
      return { fingerprint: begun.fingerprint, status, headers, body }
    }
    // The lock is this transaction's, and the key was stored after the statement had begun: the next one sees it.
    if (attempt === 2) throw new Error('The idempotency key is taken and gone in turns')
  }
}
