import { randomUUID } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { until } from '@steadfast/dev-services'
import t from 'tap'
import { memoryBroker } from '../../events/test/memory-transport.ts'
import { build, inboxRow, memory, TASKS, Task } from './helper.ts'

const headers = () => ({
  ce_specversion: Buffer.from('1.0'),
  ce_id: Buffer.from(randomUUID()),
  ce_source: Buffer.from('java'),
  ce_type: Buffer.from(Task.type)
})
const value = (id: string, n: number) => Buffer.from(JSON.stringify({ id, n }))
/** A number as a Java producer writes it. */
const long = (n: bigint) => {
  const key = Buffer.alloc(8)
  key.writeBigInt64BE(n)
  return key
}

t.test('a key that is no text keeps its order', async t => {
  const broker = memoryBroker()
  const seen = new Map<string, number[]>()
  const running = new Set<string>()
  let overlaps = 0
  await build(
    t,
    app => {
      app.onEvent(Task, async request => {
        const { id, n } = request.body
        if (running.has(id)) overlaps++
        running.add(id)
        for (let i = 0; i < 5; i++) await turn()
        seen.set(id, [...(seen.get(id) ?? []), n])
        running.delete(id)
      })
    },
    { transport: memory(broker) }
  )
  for (let n = 0; n < 20; n++) {
    await broker.write(TASKS, [{ key: long(1n), value: value('1', n) }], headers())
    await broker.write(TASKS, [{ key: long(2n), value: value('2', n) }], headers())
  }
  await until(() => [...seen.values()].flat().length === 40)
  const inOrder = Array.from({ length: 20 }, (_, n) => n)
  t.same(Object.fromEntries(seen), { 1: inOrder, 2: inOrder })
  t.equal(overlaps, 0)
})

t.test('of two keys that are no text, one that is held does not block the other', async t => {
  const broker = memoryBroker()
  const handled: string[] = []
  const { pool } = await build(
    t,
    app => {
      app.onEvent(Task, async request => {
        if (request.body.id === '80') throw new Error('never works')
        handled.push(request.body.id)
      })
    },
    { transport: memory(broker), inbox: { retry: { quickRetries: 0, quickRetryDelayMs: 1, delaysMs: [] } } }
  )
  const first = headers()
  await broker.write(TASKS, [{ key: Buffer.from([0x80]), value: value('80', 1) }], first)
  await until(async () => (await inboxRow(pool, String(first.ce_id)))?.state === 'HELD')
  const behind = headers()
  await broker.write(TASKS, [{ key: Buffer.from([0x80]), value: value('80', 2) }], behind)
  const other = headers()
  await broker.write(TASKS, [{ key: Buffer.from([0x81]), value: value('81', 1) }], other)
  await until(async () => (await inboxRow(pool, String(behind.ce_id)))?.state === 'BLOCKED')
  await until(async () => (await inboxRow(pool, String(other.ce_id)))?.state === 'DONE')
  t.same(handled, ['81'])
})
