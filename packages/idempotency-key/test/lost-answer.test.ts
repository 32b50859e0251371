import { fork } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { startProxy, until } from '@steadfast/dev-services'
import t from 'tap'
import { order, ordersDatabase, startApp, stored } from './helpers/build-app.ts'

t.test('the server is killed after COMMIT and before its answer: the retry gets that answer', async t => {
  const database = await ordersDatabase(t)
  const server = fork(new URL('helpers/crashing-server.ts', import.meta.url), {
    env: { ...process.env, DATABASE: database.url },
    execArgv: []
  })
  const [address] = (await once(server, 'message')) as [string]
  const dead = once(server, 'exit')
  const { url, ...rest } = order('k')
  const attempt = fetch(address + url, {
    ...rest,
    headers: { ...rest.headers, 'content-type': 'application/json' },
    body: JSON.stringify(rest.payload)
  })
  await t.rejects(attempt)
  t.equal((await dead)[1], 'SIGKILL')
  t.same(await stored(database), { orders: 1, events: 1, keys: 1 })
  const app = await startApp(database)
  t.teardown(() => app.close())
  const retry = await app.inject(order('k'))
  t.equal(retry.statusCode, 202)
  t.equal(retry.headers['idempotency-replayed'], 'true')
  t.same(retry.json(), { id: '1' })
  t.same(await stored(database), { orders: 1, events: 1, keys: 1 })
})

for (const direction of ['to-client', 'to-server'] as const)
  t.test(`COMMIT lost ${direction}: the outcome is unknown, and the retry makes it certain`, async t => {
    const database = await ordersDatabase(t)
    const proxy = await startProxy({ targetPort: Number(new URL(database.url).port) })
    t.teardown(() => proxy.close())
    const app = await startApp(database, undefined, { port: proxy.port })
    t.teardown(() => app.close())
    const lose = () => {
      unsubscribe('steadfast:outbox:before-commit', lose)
      proxy.blackhole(direction)
    }
    subscribe('steadfast:outbox:before-commit', lose)
    const attempt = app.inject(order('k'))
    await until(() => proxy.swallowedBytes > 0, { what: 'the loss' })
    await proxy.cut()
    const response = await attempt
    t.equal(response.statusCode, 500)
    t.equal(response.json().code, 'SF_OUTBOX_OUTCOME_UNKNOWN')
    await proxy.restore()
    const happened = direction === 'to-client'
    if (happened) t.same(await stored(database), { orders: 1, events: 1, keys: 1 })
    const retry = await app.inject(order('k'))
    t.equal(retry.statusCode, 202)
    t.equal(retry.headers['idempotency-replayed'], happened ? 'true' : undefined)
    t.same(await stored(database), { orders: 1, events: 1, keys: 1 })
  })
