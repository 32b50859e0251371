import t from 'tap'
import { storeOn } from '../src/db.ts'
import { findRunnable } from '../src/verbs/inbox/find-runnable.ts'
import { setAside } from '../src/verbs/inbox/set-aside.ts'
import { body, delivery, store } from './deliveries.ts'

t.test('many deliveries behind a held one are not even looked at', async t => {
  const { db, pool } = await store(t)
  await pool.query(
    `insert into steadfast.inbox (consumer, event_id, state, key, topic, position, source, type, envelope, body)
     select 'deploy', gen_random_uuid(), case when n % 1000 = 1 then 'HELD' else 'BLOCKED' end, 'k' || (n - 1) / 1000, 't', n::text, 's', 't', '{}', ''
     from generate_series(1, 5000) n`
  )
  await pool.query('analyze steadfast.inbox')
  const free = delivery({ key: 'z' })
  await setAside(db, free, { state: 'BLOCKED', body })
  t.same(
    (await findRunnable(db, 'deploy', { limit: 10 })).map(r => r.eventId),
    [free.eventId]
  )
  const client = await pool.connect()
  t.teardown(() => client.release(true))
  let plan = ''
  const explaining = {
    schema: 'steadfast',
    async rows<R>(text: string, values?: unknown[]) {
      const { rows } = await client.query(`explain (analyze, costs off, timing off, summary off) ${text}`, values)
      plan = rows.map(r => Object.values(r)[0]).join('\n')
      return [] as R[]
    }
  }
  await findRunnable(explaining, 'deploy', { limit: 10 })
  t.notMatch(plan, /Seq Scan on inbox/)
  const most = Math.max(...[...plan.matchAll(/actual rows=([\d.]+)/g)].map(m => Number(m[1])))
  t.ok(most < 100, plan)
})

t.test('the first of each topic and key, whatever stands in other topics', async t => {
  const { db } = await store(t)
  const rows = [
    delivery({ topic: 'a', key: 'x' }),
    delivery({ topic: 'a', key: 'x' }),
    delivery({ topic: 'a', key: 'y' }),
    delivery({ topic: 'b', key: 'a' }),
    delivery({ topic: 'b', key: 'x' })
  ]
  for (const row of rows) await setAside(db, row, { state: 'BLOCKED', body })
  t.same(
    (await findRunnable(db, 'deploy', { limit: 10 })).map(({ topic, key, eventId }) => [topic, key, eventId]),
    [rows[0], rows[2], rows[3], rows[4]].map(row => [row?.topic, row?.key, row?.eventId])
  )
})

t.test('a newer version is known by its numbers, however the server reads a backslash', async t => {
  const { db, pool } = await store(t)
  const row = delivery()
  await setAside(db, { ...row, envelope: { ...row.envelope, dataVersion: '1.10.0' } }, { state: 'BLOCKED', body })
  await pool.query(`update steadfast.inbox set state = 'UNKNOWN', due_at = clock_timestamp() + interval '1 hour'`)
  const client = await pool.connect()
  t.teardown(() => client.release(true))
  const runnable = async (version: string) => {
    const known = { types: [row.type], versions: [version], patienceMs: 60_000 }
    return (await findRunnable(storeOn(client), 'deploy', { limit: 10, known })).length
  }
  for (const setting of ['on', 'off']) {
    await client.query(`set standard_conforming_strings = ${setting}`)
    t.same([await runnable('1.9'), await runnable('1.10'), await runnable('1.11')], [0, 1, 1], setting)
  }
})
