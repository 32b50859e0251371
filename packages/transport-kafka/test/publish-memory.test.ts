import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { createPublish, type PublishContext } from '../src/publish.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

t.test('publishing for long holds nothing of the calls before', async t => {
  // An empty batch asks nothing of the connections.
  const context = { settings: { connectionTimeoutMs: 1000, requestTimeoutMs: 1000 } } as PublishContext
  const publish = createPublish(context, () => false)
  const { signal } = new AbortController()
  const many = async () => {
    for (let n = 0; n < 20_000; n++) await publish([], signal)
    collect()
    return process.memoryUsage().heapUsed
  }
  const before = await many()
  const after = await many()
  t.ok(after - before < 1_000_000, `${after - before} bytes more after 20,000 calls`)
})
