import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { createPublish } from '../src/publish.ts'
import type { PublishContext } from '../src/publishing.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

t.test('publishing for long holds nothing of the calls before', async t => {
  // An empty batch asks nothing of the connections.
  const context = { settings: { connectionTimeoutMs: 1000, requestTimeoutMs: 1000 } } as PublishContext
  const publish = createPublish(context, () => false)
  const { signal } = new AbortController()
  const growth: number[] = []
  let before = Number.NaN
  for (let round = 0; round < 6; round++) {
    for (let n = 0; n < 20_000; n++) await publish([], signal)
    collect()
    const after = process.memoryUsage().heapUsed
    growth.push(after - before)
    before = after
  }
  // What a compiler or a cache takes, it takes in some rounds; what is held grows in all of them.
  const least = Math.min(...growth.slice(1))
  t.ok(least < 1_000_000, `20,000 calls hold ${growth.slice(1).join(', ')} bytes more`)
})
