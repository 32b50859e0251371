import { testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { purgeIdempotency } from '../src/verbs/idempotency/purge-idempotency.ts'
import { checkSchema } from './schema-check.ts'

t.test('what has expired goes, in bounded batches', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  await pool.query(`insert into steadfast.idempotency (scope, key, fingerprint, expires_at)
    select 's', n, 'f', '2030-01-01 00:00:00+00'::timestamptz + n * interval '1 s' from generate_series(1, 10) n`)
  const db = storeOn(pool)
  const now = new Date('2030-01-01T00:00:05Z')
  t.equal(await purgeIdempotency(db, { limit: 3 }), 0)
  t.equal(await purgeIdempotency(db, { limit: 3 }, now), 3)
  t.equal(await purgeIdempotency(db, { limit: 3 }, now), 2)
  t.equal((await pool.query('select from steadfast.idempotency')).rowCount, 5)
})

t.test('names its schema', t => checkSchema(t, db => purgeIdempotency(db, { limit: 1 })))
