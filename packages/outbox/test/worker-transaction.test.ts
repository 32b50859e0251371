import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t from 'tap'
import { expectEvent } from '../src/testing.ts'
import { buildApp, OrderPlaced } from './helpers/build-app.ts'

t.test('fastify.outbox.transaction commits when the function resolves', async t => {
  const { app, stored, quiet } = await buildApp(t, () => {})
  const told: string[] = []
  const stop = app.outbox.onCommit(events => told.push(...events.map(e => e.key)))
  app.outbox.onCommit(() => {
    throw new Error('a listener that fails changes nothing')
  })
  const result = await app.outbox.transaction(async tx => {
    await tx.query("insert into orders values ('a')")
    await tx.sendEvent(OrderPlaced, { orderId: 'a' })
    t.match(await expectEvent(tx, OrderPlaced, { orderId: 'a' }), { status: 'NEW' }, 'seen within the transaction')
    t.same(await stored(), { orders: [], events: [] })
    return 42
  })
  t.equal(result, 42)
  stop()
  await app.outbox.transaction(tx => tx.sendEvent(OrderPlaced, { orderId: 'b' }))
  t.same(await stored(), { orders: ['a'], events: ['a', 'b'] })
  t.same(told, ['a'])
  await quiet()
})

t.test('and rolls back when it rejects, or asks for it', async t => {
  const { app, stored, quiet } = await buildApp(t, () => {})
  const told: unknown[] = []
  app.outbox.onCommit(events => told.push(events))
  const failing = app.outbox.transaction(async tx => {
    await tx.query("insert into orders values ('a')")
    await tx.sendEvent(OrderPlaced, { orderId: 'a' })
    throw new Error('no')
  })
  await t.rejects(failing, { message: 'no' })
  await app.outbox.transaction(async tx => {
    await tx.sendEvent(OrderPlaced, { orderId: 'a' })
    const control = app.outbox.control(tx)
    await control.rollback()
    await t.rejects(tx.query('select 1'), { code: 'SF_OUTBOX_TRANSACTION_CLOSED' })
    await t.rejects(control.commit(), { code: 'SF_OUTBOX_TRANSACTION_CLOSED' })
  })
  t.same(await stored(), { orders: [], events: [] })
  t.same(told, [])
  await quiet()
})

t.test('functions before COMMIT run in order, inside, and can fail it', async t => {
  const { app, stored, quiet } = await buildApp(t, () => {})
  await app.outbox.transaction(async tx => {
    tx.beforeCommit(async () => {
      await tx.query("insert into orders values ('1')")
      tx.beforeCommit(async () => void (await tx.query("insert into orders values ('3')")))
    })
    tx.beforeCommit(async () => {
      await tx.query("insert into orders values ('2')")
      await tx.sendEvent(OrderPlaced, { orderId: '2' })
    })
  })
  t.same(await stored(), { orders: ['1', '2', '3'], events: ['2'] })
  const failing = app.outbox.transaction(async tx => {
    await tx.query("insert into orders values ('4')")
    tx.beforeCommit(() => {
      throw new Error('no')
    })
  })
  await t.rejects(failing, { message: 'no' })
  t.same((await stored()).orders, ['1', '2', '3'])
  await quiet()
})

t.test('channels speak before and after COMMIT', async t => {
  const { app, stored } = await buildApp(t, () => {})
  const heard: unknown[] = []
  const hear = (message: unknown, name: string | symbol) =>
    heard.push([name, (message as { events: { key: string }[] }).events.map(e => e.key)])
  const names = ['steadfast:outbox:before-commit', 'steadfast:outbox:after-commit']
  for (const name of names) subscribe(name, hear)
  t.teardown(() => names.map(name => unsubscribe(name, hear)))
  await app.outbox.transaction(tx => tx.sendEvent(OrderPlaced, { orderId: 'a' }))
  t.same(
    heard,
    names.map(name => [name, ['a']])
  )
  t.same((await stored()).events, ['a'])
})
