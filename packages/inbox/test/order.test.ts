import { EventEmitter, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { testDatabase, until } from '@steadfast/dev-services'
import { defineEvent } from '@steadfast/events'
import t from 'tap'
import { deliver } from '../src/testing.ts'
import { build, effects, insertEffect, Note, send, Task, transports } from './helper.ts'

for (const { name, skip, transport } of transports(t)) {
  t.test(`one key in order, one at a time; different keys side by side (${name})`, { skip }, async t => {
    const database = await testDatabase(t)
    const order = new Map<string, number[]>()
    const running = new Set<string>()
    let most = 0
    const { app } = await build(
      t,
      app => {
        app.onEvent(Task, async request => {
          const { id, n } = request.body
          if (running.has(id)) t.fail(`two of ${id} at a time`)
          running.add(id)
          most = Math.max(most, running.size)
          order.set(id, [...(order.get(id) ?? []), n])
          await insertEffect(request.tx, request.body)
          await sleep(2)
          running.delete(id)
        })
      },
      { database, transport: transport(database.url) }
    )
    const keys = ['a', 'b', 'c', 'd', 'e', 'f']
    for (let n = 0; n < 10; n++) await Promise.all(keys.map(id => send(app, Task, { id, n })))
    await until(() => [...order.values()].reduce((sum, { length }) => sum + length, 0) === 60)
    for (const key of keys) t.same(order.get(key), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], key)
    t.ok(most > 1, `${most} keys at a time`)
  })
}

t.test('while a key waits in memory, others go on', async t => {
  const asked = new EventEmitter()
  const waiting = once(asked, 'later')
  const done: string[] = []
  const { app } = await build(t, app => {
    app.onEvent(Task, async (request, reply) => {
      const { id, n } = request.body
      if (id === 'later' && n === 1 && !done.includes('other1')) {
        asked.emit('later')
        return reply.code(503).header('retry-after', '0').send()
      }
      done.push(`${id}${n}`)
    })
  })
  await send(app, Task, { id: 'later', n: 1 })
  await send(app, Task, { id: 'later', n: 2 })
  await waiting
  await send(app, Task, { id: 'other', n: 1 })
  await until(() => done.length === 3, { what: 'the other key is done while the first one waits, then the first' })
  t.same(done, ['other1', 'later1', 'later2'])
})

t.test('a held key of one topic blocks nothing in another', async t => {
  const Order = defineEvent({ type: 'shop.order', topic: 'orders-of-their-own', key: d => d.id, data: Note.data })
  const { app, pool } = await build(t, app => {
    app.onEvent(Task, { retry: { quickRetries: 0, delaysMs: [] } }, async () => {
      throw new Error('broken')
    })
    app.onEvent(Order, async request => void (await insertEffect(request.tx, request.body)))
  })
  t.equal((await deliver(app, Task, { id: '42', n: 1 })).outcome, 'set-aside')
  t.equal((await deliver(app, Task, { id: '42', n: 2 })).outcome, 'blocked')
  t.equal((await deliver(app, Order, { id: '42', n: 3 })).outcome, 'handled')
  t.same(await effects(pool), [3])
})

t.test('a delivery that takes its time holds up only its own topic and key in this process', async t => {
  const Order = defineEvent({ type: 'shop.order', topic: 'orders-of-their-own', key: d => d.id, data: Note.data })
  let begun = false
  const gate = new EventEmitter()
  const { app } = await build(t, app => {
    app.onEvent(Task, async () => {
      begun = true
      await once(gate, 'open')
    })
    app.onEvent(Order, async () => {})
  })
  const slow = deliver(app, Task, { id: '42', n: 1 })
  await until(() => begun)
  t.equal((await deliver(app, Order, { id: '42', n: 2 })).outcome, 'handled')
  gate.emit('open')
  t.equal((await slow).outcome, 'handled')
})
