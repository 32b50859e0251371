import { randomUUID } from 'node:crypto'
import { matchWhole } from '@steadfast/dev-services'
import pg from 'pg'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { beatRelay } from '../src/verbs/event/beat-relay.ts'
import { sweepEvents } from '../src/verbs/event/sweep-events.ts'
import { beginIdempotent } from '../src/verbs/idempotency/begin-idempotent.ts'
import { claimRetry } from '../src/verbs/inbox/claim-retry.ts'
import { receiveDelivery } from '../src/verbs/inbox/receive-delivery.ts'
import { delivery, store } from './deliveries.ts'
import { seedDelivery, seedEvent } from './seed.ts'

// A pooler in transaction mode gives the session to somebody else after each COMMIT.
t.test(
  'nothing stays with a session after its transaction: no lock, setting, listening or prepared statement',
  async t => {
    const { pool, url } = await store(t)
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    t.teardown(() => client.end().catch(() => {}))
    const one = { connect: async () => Object.assign(client, { release() {} }) }
    const settings = async () =>
      (await client.query(`select name, setting from pg_settings where name like '%timeout' or name = 'search_path'`))
        .rows
    const before = await settings()
    const eventId = await seedDelivery(pool, { state: 'RETRY', key: 'other', due_at: new Date(0) })
    await seedEvent(pool, { status: 'PUBLISHED', due: false, count: 1, deadline: new Date(0) })

    await migrate(one as never, { schema: 'another' })
    const db = storeOn(client)
    await client.query('begin')
    matchWhole(t, await sweepEvents(db, { limit: 10, maxResendsOutstanding: 10 }), { resent: [String] })
    const { rows } = await client.query(`select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()`)
    t.ok(rows.length > 0, 'the lock of the sweep is an advisory one')
    await beatRelay(db, randomUUID(), { staleMs: 1000 })
    t.ok(await receiveDelivery(db, delivery(), 1234, 4321))
    t.ok(await claimRetry(db, { consumer: 'deploy', eventId, lockTimeoutMs: 2345 }))
    await beginIdempotent(db, { scope: 's', key: 'k', fingerprint: 'f', ttlMs: 1000 })
    await client.query('commit')

    t.same(await settings(), before)
    const left = await client.query(
      `select 'lock' as what from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()
     union all select 'statement ' || name from pg_prepared_statements
     union all select 'channel ' || pg_listening_channels()`
    )
    t.same(left.rows, [])
  }
)
