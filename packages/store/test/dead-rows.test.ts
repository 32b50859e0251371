import { until } from '@steadfast/dev-services'
import type pg from 'pg'
import t from 'tap'
import { fetchDue, fetchDueSql, fetchDueValues } from '../src/verbs/event/fetch-due.ts'
import { markPublished } from '../src/verbs/event/mark-published.ts'
import { outboxStats } from '../src/verbs/event/outbox-stats.ts'
import { store } from './deliveries.ts'
import { seedMany } from './schema-check.ts'
import { seedEvent } from './seed.ts'

const query = { lanes: Array.from({ length: 64 }, (_, n) => n), limit: 1000, maxBytes: 1e7 }
const EVENTS = 20_000

/** Pages that a fetch touches. */
async function buffersOf(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query(
    `explain (analyze, buffers, format json) ${fetchDueSql('steadfast')}`,
    fetchDueValues(query)
  )
  const plan = rows[0]['QUERY PLAN'][0].Plan
  return plan['Shared Hit Blocks'] + plan['Shared Read Blocks']
}

t.test(
  'while a long transaction keeps dead rows, all goes on and stats tell; afterwards a fetch is cheap again',
  async t => {
    const { db, pool } = await store(t)
    const long = await pool.connect()
    await long.query('begin isolation level repeatable read')
    await long.query('select count(*) from steadfast.event')
    await seedMany(pool, EVENTS, EVENTS)
    const fresh = await buffersOf(pool)
    let sent = 0
    for (let batch = await fetchDue(db, query); batch.events.length > 0; batch = await fetchDue(db, query))
      sent += (await markPublished(db, batch.events)).marked.length
    t.equal(sent, EVENTS)
    const late = await seedEvent(pool)
    await pool.query('vacuum steadfast.event')
    t.same(
      (await fetchDue(db, query)).events.map(({ id }) => id),
      [late],
      'behind them all'
    )
    const pinned = await buffersOf(pool)
    t.ok(pinned > fresh, `the dead are in the way: ${pinned} pages, ${fresh} before`)
    const dead = async () => (await outboxStats(db)).deadTuples
    await until(async () => (await dead()) >= EVENTS, { what: 'stats that tell of the dead rows' })

    await long.query('commit')
    long.release()
    await pool.query('vacuum steadfast.event')
    const after = await buffersOf(pool)
    t.ok(after < 20, `${after} pages for the one that is due`)
    await until(async () => (await dead()) < EVENTS / 100, { what: 'stats that tell of their removal' })
  }
)
