import { randomUUID } from 'node:crypto'
import { matchWhole, testDatabase, until } from '@steadfast/dev-services'
import t from 'tap'
import { build, effects, insertEffect, send, TASKS, Task, transports } from './helper.ts'

for (const { name, skip, transport } of transports(t)) {
  t.test(`a group resumes at its offset; a new one starts at the beginning (${name})`, { skip }, async t => {
    const database = await testDatabase(t)
    const key = randomUUID()
    const contract = { ...Task, topic: `${TASKS}-${key}` }
    const seen: string[] = []
    const plugin = transport(database.url)
    const start = (group: string) =>
      build(
        t,
        app => {
          app.onEvent(contract, { group }, async request => {
            seen.push(`${group === key ? 'own' : 'projection'} ${request.body.n}`)
            await insertEffect(request.tx, request.body)
          })
        },
        { database, transport: plugin, inbox: { group: key } }
      )
    const first = await start(key)
    for (const n of [1, 2]) await send(first.app, contract, { id: key, n })
    await until(async () => (await effects(database.pool, key)).length === 2)
    await until(async () => (await first.app.inbox.lag()) === 0n)
    await send(first.app, contract, { id: key, n: 3 })
    await first.app.close()
    const second = await start(key)
    await send(second.app, contract, { id: key, n: 4 })
    await until(async () => (await effects(database.pool, key)).length === 4)
    t.same(seen, ['own 1', 'own 2', 'own 3', 'own 4'], 'nothing again, nothing left out')
    await second.app.close()

    const projection = await start(`projection-${key}`)
    await until(() => seen.length === 8)
    t.same(
      seen.slice(4),
      [1, 2, 3, 4].map(n => `projection ${n}`)
    )
    await until(async () => (await projection.app.inbox.lag()) === 0n)
    const { rows } = await database.pool.query(
      'select consumer, count(*)::integer as n from steadfast.inbox group by 1 order by 2, 1'
    )
    matchWhole(t, rows, [{ n: 4 }, { n: 4 }], 'each group has its own rows')
    await projection.app.close()
  })
}
