import type { RequestTransaction } from '@steadfast/outbox'
import { Kysely, PostgresDialect } from 'kysely'

/** kysely on the transaction of a request. */
export function kyselyOn<Tables>(tx: RequestTransaction): Kysely<Tables> {
  const client = { query: tx.query, release() {} }
  const pool = { connect: async () => client, end: async () => {} }
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: pool as never }) })
}
