import { testDatabase, until } from '@steadfast/dev-services'
import { migrate } from '@steadfast/store'
import t, { type Test } from 'tap'
import { deliveryOf } from '../src/testing.ts'
import { build, effects, FAST, insertEffect, proxied, publish, Task, transports } from './helper.ts'

// a busy machine takes its time
t.setTimeout(300_000)

const FAULTS = ['cut', 'blackhole'] as const

/** Two processes of one service; the first reaches its database through a proxy. The broker is another one's affair. */
async function twoProcesses(t: Test, broker: string, transport: ReturnType<typeof transports>[number]['transport']) {
  const database = await testDatabase(t)
  await migrate(database.pool)
  const { proxy, url } = await proxied(t, database.url)
  const options = { database, transport: transport(broker), inbox: { ...FAST, leaveAfterMs: 300, pauseMaxMs: 200 } }
  const declare = (of: string) => (app: Parameters<Parameters<typeof build>[1]>[0]) => {
    app.onEvent(Task, { timeoutMs: 2_000 }, async request => {
      handledBy.set(request.body.n, of)
      await insertEffect(request.tx, request.body)
    })
  }
  const handledBy = new Map<number, string>()
  const ill = await build(t, declare('ill'), { ...options, url })
  const well = await build(t, declare('well'), options)
  return { proxy, ill: ill.app, well: well.app, pool: database.pool, handledBy }
}

const tasks = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => deliveryOf(Task, { id: `k${from + i}`, n: from + i }))

for (const { name, skip, transport } of transports(t).filter(({ name }) => name !== 'memory'))
  for (const fault of name === 'postgres' ? FAULTS : FAULTS.slice(0, 1))
    t.test(
      `a process without its database (${fault}) leaves the group, and comes back (${name})`,
      { skip },
      async t => {
        const broker = await testDatabase(t)
        const { proxy, ill, well, pool, handledBy } = await twoProcesses(t, broker.url, transport)
        await publish(well, tasks(0, 30))
        await until(async () => (await effects(pool)).length === 30, { timeoutMs: 40_000, what: 'both work' })
        if (fault === 'cut') await proxy.cut()
        else proxy.blackhole('both')
        await publish(well, tasks(100, 60))
        await until(async () => (await effects(pool)).length === 90, {
          timeoutMs: 60_000,
          what: 'the other handles all'
        })
        t.match(ill.inbox.health(), { ready: false, reason: /is left/ })
        await proxy.restore()
        await until(() => ill.inbox.health().ready, { timeoutMs: 40_000, what: 'it comes back' })
        await until(
          async () => {
            const n = 1000 + handledBy.size
            await publish(well, tasks(n, 5))
            return [...handledBy].some(([n, of]) => n >= 1000 && of === 'ill')
          },
          { timeoutMs: 40_000, intervalMs: 200, what: 'it has its share again' }
        )
      }
    )

t.test('closing while the database is away, left or not, ends in time', async t => {
  const broker = await testDatabase(t)
  const [postgres] = transports(t).filter(({ name }) => name === 'postgres')
  if (postgres === undefined) throw new Error('no transport')
  const { proxy, ill, well } = await twoProcesses(t, broker.url, postgres.transport)
  await proxy.cut()
  await publish(well, tasks(0, 20))
  await until(() => !ill.inbox.health().ready)
  await until(() => /is left/.test(ill.inbox.health().reason ?? ''), { timeoutMs: 40_000 })
  const begun = performance.now()
  await ill.close()
  t.ok(performance.now() - begun < 10_000)
})
