import { testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { purgeReplays } from '../src/verbs/inbox/purge-replays.ts'
import { checkSchema } from './schema-check.ts'

t.test('old requests go by what was last about them', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  await pool.query(`insert into steadfast.replay (id, consumer, from_time, until_time, requested_by, requested_at, stopped_at) values
    (gen_random_uuid(), 'old', '2029-01-01', '2029-01-02', 'ann', '2029-01-02', null),
    (gen_random_uuid(), 'stopped', '2029-01-01', '2029-01-02', 'ann', '2029-01-02', '2029-12-31'),
    (gen_random_uuid(), 'ahead', '2029-01-01', '2031-01-02', 'ann', '2029-01-02', null)`)
  await pool.query(`insert into steadfast.replay_item (replay_id, event_id, state)
    select id, gen_random_uuid(), 'DONE' from steadfast.replay, generate_series(1, 5)`)
  const now = new Date('2030-01-01T00:00:00Z')
  const purge = (limit: number) => purgeReplays(storeOn(pool), { olderThanMs: 30 * 86_400_000, limit }, now)
  const steps: number[] = []
  while (steps.at(-1) !== 0) steps.push(await purge(2))
  t.same(steps, [2, 2, 1, 1, 0], 'first the notes of what it has run, in batches, then the replay')
  t.same((await pool.query('select count(*)::int as n from steadfast.replay_item')).rows, [{ n: 10 }])
  const { rows } = await pool.query('select consumer from steadfast.replay order by 1')
  t.same(rows, [{ consumer: 'ahead' }, { consumer: 'stopped' }])
})

t.test('names its schema', t => checkSchema(t, db => purgeReplays(db, { olderThanMs: 1, limit: 1 })))
