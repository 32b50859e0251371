import { until } from '@steadfast/dev-services'
import t from 'tap'
import { memoryBroker } from '../../events/test/memory-transport.ts'
import { deliveryOf } from '../src/testing.ts'
import { build, effects, insertEffect, memory, Note, publish } from './helper.ts'
import { burst, count, declare, INBOX, Order, order } from './poison-burst.ts'

for (const poison of [10, 100])
  t.test(`${poison} deliveries whose handler fails for ever: held, all good ones handled`, async t => {
    await burst(t, { bug: 'a TypeError', poison, maxInFlight: 100 })
  })

t.test('a restart amid a burst harms nobody', async t => {
  const broker = memoryBroker()
  const service = { transport: memory(broker), inbox: { ...INBOX, maxInFlight: 20 } }
  const first = await build(t, app => declare(app, 'a TypeError'), service)
  await publish(
    first.app,
    Array.from({ length: 30 }, (_, n) => order(-n, 'a\u0000b'))
  )
  await until(async () => Object.keys(await count(first.pool)).length > 0)
  await first.app.close()
  const { app, pool } = await build(t, app => declare(app, 'a TypeError'), { ...service, database: first })
  await publish(app, [order(1, ''), deliveryOf(Note, { id: 'n', n: 2 })])
  await until(async () => (await effects(pool)).length === 2)
  await until(async () => (await count(pool)).HELD === 30)
  t.same(await count(pool), { DONE: 2, HELD: 30 })
})

t.test('a type that fails for many keys is slowed down alone, is named, and a success clears it', async t => {
  let broken = true
  let runs = 0
  const { app, pool } = await build(
    t,
    app => {
      app.onEvent(Order, async request => {
        runs++
        if (broken) throw new Error('downstream is away')
        await insertEffect(request.tx, request.body)
      })
      app.onEvent(Note, async request => void (await insertEffect(request.tx, request.body)))
    },
    { inbox: { ...INBOX, retryPollMs: 0, pauseAfterKeys: 3, pauseMs: 60_000, pauseMaxMs: 60_000, maxInFlight: 1 } }
  )
  await publish(
    app,
    Array.from({ length: 12 }, (_, n) => order(n, ''))
  )
  await until(async () => (await count(pool)).RETRY === 12, { what: 'all are set aside' })
  t.equal(runs, 3 * 2, 'only as many ran as it takes to see that the type fails, each with its quick retries')
  t.same(app.inbox.health(), {
    ready: true,
    reason: `group "${app.inbox.group}": shop.order is slowed down: downstream is away`
  })
  const { rows } = await pool.query(
    'select attempts, count(*)::int as n from steadfast.inbox group by attempts order by 1'
  )
  t.same(rows, [
    { attempts: 0, n: 9 },
    { attempts: 1, n: 3 }
  ])
  await publish(app, [deliveryOf(Note, { id: 'n', n: 100 })])
  await until(async () => (await effects(pool)).includes(100), { what: 'another type goes on' })
  broken = false
  await until(async () => {
    await app.inbox.tick()
    return (await effects(pool)).length === 13
  })
  t.same(app.inbox.health(), { ready: true })
})
