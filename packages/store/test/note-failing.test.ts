import { testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { markPublished } from '../src/verbs/event/mark-published.ts'
import { noteFailing } from '../src/verbs/event/note-failing.ts'
import { parkUnsendable } from '../src/verbs/event/park-unsendable.ts'
import { resolveEvent } from '../src/verbs/operator/resolve-event.ts'
import { checkSchema } from './schema-check.ts'
import { idFrom, seedEvent } from './seed.ts'

const at = (minute: number) => new Date(Date.UTC(2030, 0, 1, 0, minute))

t.test('says why and since when, once for each error; the topic has a time of its own', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const id = await seedEvent(pool, { updated_at: at(0) })
  const note = async (error: string, topicUnavailable: boolean, minute: number) => {
    await noteFailing(db, [{ id, count: 0, error, topicUnavailable }], at(minute))
    const { rows } = await pool.query('select *, xmin::text from steadfast.event')
    return rows[0]
  }
  const first = await note('no\u0000 leader', false, 1)
  t.same(
    [first.last_error, first.failing_since, first.topic_unavailable_since, first.updated_at, first.status, first.due],
    ['no leader', at(1), null, at(0), 'NEW', true]
  )
  t.equal((await note('no leader', false, 2)).xmin, first.xmin, 'the row is not written again')
  const gone = await note('no such topic', true, 3)
  t.same([gone.last_error, gone.failing_since, gone.topic_unavailable_since], ['no such topic', at(1), at(3)])
  const forbidden = await note('forbidden', true, 4)
  t.same([forbidden.last_error, forbidden.topic_unavailable_since], ['forbidden', at(3)])
  const back = await note('forbidden', false, 5)
  t.same([back.failing_since, back.topic_unavailable_since], [at(1), null])
})

t.test('only as it was read, and without waiting', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const [sent, undue, held, fit] = [
    await seedEvent(pool, { count: 1 }),
    await seedEvent(pool, { due: false }),
    await seedEvent(pool),
    await seedEvent(pool)
  ]
  const other = await pool.connect()
  await other.query('begin')
  await other.query('select from steadfast.event where id = $1 for update', [held])
  const ids = [sent, undue, held, fit, idFrom(0)]
  await noteFailing(
    db,
    ids.map(id => ({ id, count: 0, error: 'no', topicUnavailable: true }))
  )
  await other.query('rollback')
  other.release()
  t.same((await pool.query('select id from steadfast.event where failing_since is not null')).rows, [{ id: fit }])
  await noteFailing(db, [])
})

t.test('what is due no longer is failing no longer', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const ends: ((id: string) => Promise<unknown>)[] = [
    id => markPublished(db, [{ id, count: 0 }]),
    id => parkUnsendable(db, { id, count: 0, error: 'too large' }),
    id => resolveEvent(db, { id, actor: 'ann', note: 'settled' })
  ]
  for (const end of ends) {
    const id = await seedEvent(pool, { status: 'PARKED', park_reason: 'REFUSED' })
    await noteFailing(db, [{ id, count: 0, error: 'no', topicUnavailable: true }])
    await end(id)
    const { rows } = await pool.query(
      'select due, failing_since, topic_unavailable_since from steadfast.event where id = $1',
      [id]
    )
    t.same(rows, [{ due: false, failing_since: null, topic_unavailable_since: null }])
  }
})

t.test('names its schema', t =>
  checkSchema(t, db => noteFailing(db, [{ id: idFrom(0), count: 0, error: '', topicUnavailable: false }]))
)
