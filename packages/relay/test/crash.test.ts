import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { matchWhole } from '@steadfast/dev-services'
import { createPostgresTransport } from '@steadfast/transport-postgres'
import t from 'tap'
import { relayOnce } from '../src/testing.ts'
import { database, event, server } from './helper.ts'

const path = (file: string) => new URL(file, import.meta.url).pathname

t.test('killed between acknowledgement and mark: sent again under the same ids, in order, counted once', async t => {
  const { url, write, rows } = await database(t)
  const transport = createPostgresTransport({ connectionString: url })
  t.teardown(() => transport.close(1000))
  await transport.ensureTopics([{ name: 'market.things', partitions: 1 }])
  const ids: string[] = []
  const arrived = new Promise<void>(resolve => {
    const group = { group: 'reader', topics: ['market.things'], maxInFlight: 100 }
    void transport.subscribe(group, delivery => {
      ids.push(String(delivery.headers.ce_id))
      delivery.done()
      if (ids.length === 6) resolve()
    })
  })
  const events = [event({ key: 'k' }), event({ key: 'k' }), event({ key: 'k' })]
  await write(events)
  const child = spawn(process.execPath, ['--import', path('end-at-batch-sent.ts'), path('crash-child.ts'), url])
  t.teardown(() => child.kill('SIGKILL'))
  t.same((await once(child, 'exit'))[1], 'SIGKILL')
  matchWhole(t, await rows(), Array(3).fill({ status: 'NEW', due: true, count: 0 }))

  const app = await server(t, url, transport)
  t.match(await relayOnce(app), { sent: 3 })
  await arrived
  const sent = events.map(({ id }) => id)
  t.same(ids, [...sent, ...sent])
  matchWhole(t, await rows(), Array(3).fill({ status: 'PUBLISHED', due: false, count: 1 }))
})
