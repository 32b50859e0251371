import { randomUUID } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { until } from '@steadfast/dev-services'
import { setAside, storeOn } from '@steadfast/store/internal'
import t from 'tap'
import { decodeDelivery } from '../src/decode-delivery.ts'
import { kConsumers } from '../src/index.ts'
import { deliveryOf } from '../src/testing.ts'
import type { Consumer } from '../src/types.ts'
import { type Built, build, effects, FAST, groupOf, insertEffect, Task } from './helper.ts'

/** A delivery that was set aside and is due. */
async function aside({ pool }: Pick<Built, 'pool'>, id: string, n: number, group = groupOf('worker')): Promise<void> {
  const delivery = deliveryOf(Task, { id, n }, { id: randomUUID() })
  const { row } = decodeDelivery(group, delivery)
  await setAside(storeOn(pool), row, { state: 'BLOCKED', body: delivery.raw })
}

t.test('a key that times out holds up no other: the chain of another key is done while it runs', async t => {
  const release = new EventEmitter()
  let slow: 'begun' | 'ended' | undefined
  const built = await build(
    t,
    app => {
      app.onEvent(Task, { timeoutMs: 60_000 }, async request => {
        if (request.body.id === 'slow') {
          slow = 'begun'
          await once(release, 'end')
          slow = 'ended'
          return
        }
        await insertEffect(request.tx, request.body)
      })
    },
    { inbox: { ...FAST, concurrency: 2 } }
  )
  const { app, pool } = built
  await aside(built, 'slow', 0)
  for (let n = 1; n <= 101; n++) await aside(built, 'chain', n)
  const tick = app.inbox.tick()
  await until(async () => (await effects(pool)).length === 101, { what: 'the chain' })
  t.equal(slow, 'begun', 'it runs still')
  t.same(
    await effects(pool),
    Array.from({ length: 101 }, (_, i) => i + 1)
  )
  await aside(built, 'later', 200)
  t.equal(await app.inbox.tick(), 1, 'what becomes due meanwhile is not kept waiting')
  release.emit('end')
  t.equal(await tick, 102)
})

t.test('as many at a time as there may be handlers, and each once, however many looks there are', async t => {
  let running = 0
  let most = 0
  const runs = new Map<number, number>()
  const built = await build(
    t,
    app => {
      app.onEvent(Task, async request => {
        most = Math.max(most, ++running)
        await until(() => most >= 4, { what: 'as many as may run at a time' })
        runs.set(request.body.n, (runs.get(request.body.n) ?? 0) + 1)
        await insertEffect(request.tx, request.body)
        running--
      })
    },
    { inbox: { ...FAST, concurrency: 4 } }
  )
  for (let n = 0; n < 250; n++) await aside(built, `k${n}`, n)
  const ended = await Promise.all([built.app.inbox.tick(), built.app.inbox.tick(), built.app.inbox.tick()])
  await until(async () => (await effects(built.pool)).length === 250)
  t.equal(
    ended.reduce((a, b) => a + b, 0),
    250
  )
  t.equal(most, 4)
  t.same([...new Set(runs.values())], [1])
})

t.test('a group whose handler hangs keeps no other from its retries', async t => {
  const release = new EventEmitter()
  const other = groupOf('worker.other')
  const built = await build(
    t,
    app => {
      app.onEvent(Task, { group: other, timeoutMs: 60_000 }, async () => void (await once(release, 'end')))
      app.onEvent(Task, async request => void (await insertEffect(request.tx, request.body)))
    },
    { inbox: { ...FAST, retryPollMs: 20 } }
  )
  await aside(built, 'slow', 0, other)
  await until(() => release.listenerCount('end') === 1, { what: 'the other group is busy' })
  await aside(built, 'k', 1)
  await until(async () => (await effects(built.pool)).length === 1)
  release.emit('end')
})

t.test('a broker that does not answer a look for replays keeps nothing from being retried', async t => {
  const built = await build(
    t,
    app => {
      app.onEvent(Task, async request => void (await insertEffect(request.tx, request.body)))
    },
    { inbox: { ...FAST, retryPollMs: 20 } }
  )
  const { app, pool } = built
  const consumers = (app.inbox as unknown as { [kConsumers]: Map<string, Consumer> })[kConsumers]
  const replays = consumers.get(app.inbox.group)?.replays
  let asked = false
  if (replays)
    replays.look = async () => {
      asked = true
      await new Promise(() => {})
    }
  await until(() => asked)
  await aside(built, 'k', 1)
  await until(async () => (await effects(pool)).length === 1, { what: 'the retry' })
})
