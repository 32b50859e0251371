import { testDatabase, until } from '@steadfast/dev-services'
import t from 'tap'
import { build, effects, insertEffect, send, Task, transports } from './helper.ts'

for (const { name, skip, transport } of transports(t).filter(({ name }) => name !== 'kafka')) {
  t.test(`what is set aside runs by itself when it is due, and its key goes on (${name})`, { skip }, async t => {
    let broken = true
    const database = await testDatabase(t)
    const { app, pool } = await build(
      t,
      app => {
        app.onEvent(Task, async request => {
          if (broken && request.body.n === 1) throw new Error('broken')
          await insertEffect(request.tx, request.body)
        })
      },
      {
        database,
        transport: transport(database.url),
        // nobody calls app.inbox.tick(): the poll alone brings it again
        inbox: { retryPollMs: 20, retry: { quickRetries: 0, delaysMs: Array(200).fill(20) } }
      }
    )
    for (const n of [1, 2]) await send(app, Task, { id: 'k', n })
    const states = async () => (await pool.query('select state from steadfast.inbox order by arrival')).rows
    await until(async () => (await states()).length === 2, { what: 'both wait' })
    await until(
      async () =>
        (await pool.query(`select from steadfast.inbox where state = 'RETRY' and attempts > 2`)).rowCount === 1,
      { what: 'it is tried again and again' }
    )
    t.same(await states(), [{ state: 'RETRY' }, { state: 'BLOCKED' }])
    broken = false
    await until(async () => (await effects(pool)).length === 2, { what: 'the first one, then the one behind it' })
    t.same(await effects(pool), [1, 2])
    await until(async () => (await states()).every(({ state }) => state === 'DONE'))
  })
}
