import { testDatabase, until } from '@steadfast/dev-services'
import t from 'tap'
import { deliveryOf } from '../src/testing.ts'
import { build, effects, FAST, inboxRow, insertEffect, publish, send, Task, transports } from './helper.ts'

// a busy machine takes its time
t.setTimeout(240_000)

for (const { name, skip, transport } of transports(t)) {
  t.test(
    `a key that waits holds no places: all others are handled meanwhile, then it, in order (${name})`,
    { skip },
    async t => {
      // More than may be in flight stand behind the one that waits.
      const [followers, others, maxInFlight] = [45, 60, 30]
      let busy = true
      const database = await testDatabase(t)
      const order: number[] = []
      const { app, pool } = await build(
        t,
        app => {
          app.onEvent(Task, async (request, reply) => {
            const { id, n } = request.body
            if (id === 'busy') {
              if (busy) return reply.code(429).send()
              order.push(n)
            }
            await insertEffect(request.tx, request.body)
          })
        },
        { database, transport: transport(database.url), inbox: { ...FAST, retryPollMs: 50, maxInFlight } }
      )
      const first = await send(app, Task, { id: 'busy', n: 0 })
      await publish(
        app,
        Array.from({ length: followers }, (_, n) => deliveryOf(Task, { id: 'busy', n: n + 1 }))
      )
      await publish(
        app,
        Array.from({ length: others }, (_, n) => deliveryOf(Task, { id: `k${n}`, n: 1000 + n }))
      )
      await until(async () => (await effects(pool)).length === others, { timeoutMs: 40_000, what: 'the others' })
      t.equal((await inboxRow(pool, first))?.state, 'RETRY')
      t.equal((await inboxRow(pool, first))?.attempts, 0, 'waiting counts nothing')
      await until(async () => (await app.inbox.lag()) === 0n, {
        timeoutMs: 60_000,
        what: 'offsets advance while the key waits'
      })
      busy = false
      await until(async () => (await effects(pool)).length === followers + others + 1, {
        timeoutMs: 60_000,
        what: 'the key'
      })
      t.same(
        order,
        Array.from({ length: followers + 1 }, (_, n) => n)
      )
    }
  )
}
