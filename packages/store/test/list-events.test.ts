import { testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import { listEvents } from '../src/verbs/operator/list-events.ts'
import { idFrom, seedEvent, Told } from './seed.ts'

t.test('pages hold everything once while events are written', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const before: string[] = []
  for (let i = 0; i < 57; i++) before.push(await seedEvent(pool, {}, { agoMs: 60_000 + (i % 7) }))
  let writing = true
  const writer = (async () => {
    while (writing) await seedEvent(pool)
  })()
  for (const order of ['newest', 'oldest'] as const) {
    const seen: string[] = []
    let after: string | undefined
    do {
      const page = await listEvents(db, { until: new Date(Date.now() - 30_000) }, { limit: 10, after, order })
      seen.push(...page.map(e => e.id))
      after = page.length === 10 ? page.at(-1)?.id : undefined
    } while (after !== undefined)
    const sorted = before.toSorted()
    t.same(seen, order === 'newest' ? sorted.reverse() : sorted, order)
  }
  writing = false
  await writer
})

t.test('filters', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const parked = await seedEvent(
    pool,
    {
      key: 'a',
      status: 'PARKED',
      park_reason: 'UNCONFIRMED',
      last_error: '100% <b>"wrong"</b>',
      correlation_id: 'c-1'
    },
    { agoMs: 9000 }
  )
  const told = await seedEvent(pool, { key: `b_'; drop table x --`, source: 'other' }, { contract: Told })
  const ids = async (filter: Parameters<typeof listEvents>[1]) =>
    (await listEvents(db, filter, { limit: 9 })).map(e => e.id)
  t.same(await ids({}), [told, parked])
  t.same(await ids({ status: ['PARKED', 'NEW'] }), [told, parked])
  t.same(await ids({ status: ['PARKED'] }), [parked])
  t.same(await ids({ type: 'market.told' }), [told])
  t.same(await ids({ key: 'a' }), [parked])
  t.same(await ids({ source: 'other' }), [told])
  t.same(await ids({ awaitsFrom: 'deploy' }), [parked])
  t.same(await ids({ parkReason: 'UNCONFIRMED' }), [parked])
  t.same(await ids({ correlationId: 'c-1' }), [parked])
  t.same(await ids({ since: new Date(Date.now() - 5000) }), [told])
  t.same(await ids({ until: new Date(Date.now() - 5000) }), [parked])
  for (const search of ['100%', '<B>"WRONG"', parked.slice(4, 20), 'UNCONF', 'MARKET.ask'])
    t.same(await ids({ search }), [parked], search)
  for (const search of [`'; drop table x --`, 'b_']) t.same(await ids({ search }), [told], search)
  for (const search of ['%', '_', '\\', 'a%b'])
    t.same(await ids({ search }), search === '%' ? [parked] : search === '_' ? [told] : [], `literally ${search}`)
  t.same(await ids({ search: 'market', status: ['CONFIRMED'] }), [])
  const [row] = await listEvents(db, {}, { limit: 1 })
  t.notOk(row && ('payload' in row || 'headers' in row), 'no payload in a list')
  t.same(await listEvents(db, {}, { limit: 9, after: idFrom(99_999_999) }), [])
})

t.test('what fails, and what waits behind it because its topic is unavailable', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const db = storeOn(pool)
  const at = new Date()
  const gone = { topic: 'gone', failing_since: at, topic_unavailable_since: at }
  const tried = await seedEvent(pool, gone)
  const behind = await seedEvent(pool, { topic: 'gone' })
  const again = await seedEvent(pool, { topic: 'gone', status: 'PUBLISHED', replay: true })
  const odd = await seedEvent(pool, { topic: 'odd', failing_since: at })
  const fine = [
    await seedEvent(pool, { topic: 'odd' }),
    await seedEvent(pool, { topic: 'gone', due: false }),
    await seedEvent(pool)
  ]
  const ids = async (failing: boolean) => (await listEvents(db, { failing }, { limit: 9 })).map(({ id }) => id).sort()
  t.same(await ids(true), [tried, behind, again, odd].sort())
  t.same(await ids(false), fine.sort())
  t.match(await listEvents(db, { ids: [tried] }, { limit: 1 }), { length: 1 })
  t.match((await listEvents(db, { ids: [tried] }, { limit: 1 }))[0], { failingSince: at, topicUnavailableSince: at })
})
