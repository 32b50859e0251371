import assert from 'node:assert/strict'
import { type Delivery, RUN_AHEAD } from '../transport.ts'
import type { Context } from './context.ts'
import { message, publishAll } from './context.ts'

/** Acknowledging 1, 3 and 4 of five leaves the offset behind 1; acknowledging the rest moves it to the end. */
export async function doneOutOfOrder(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport)
  const group = context.name('group')
  await publishAll(context, transport, numbered(topic, 1, 5))
  const first = await context.join(await context.client(), { topic, group })
  const deliveries = await first.received(5)
  for (const i of [3, 0, 2, 2]) deliveries[i]?.done()
  await first.subscription.close(100)

  const second = await context.join(await context.client(), { topic, group })
  const again = await second.received(4)
  assert.deepEqual(second.texts(), ['m2', 'm3', 'm4', 'm5'], 'the offset is the end of the contiguous prefix')
  for (const i of [2, 3, 1, 0]) again[i]?.done()
  await context.until('lag 0', async () => (await second.subscription.lag()) === 0n)
  await second.subscription.close(5000)

  await publishAll(context, transport, numbered(topic, 6, 1))
  const third = await context.join(await context.client(), { topic, group })
  await third.received(1)
  assert.deepEqual(third.texts(), ['m6'])
}

/** A second member takes over part of the topic; the first one's late `done()` for that part moves nothing. */
export async function doneAfterRevocation(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport, 2)
  const group = context.name('group')
  const total = 40
  await publishAll(context, transport, spread(topic, total))
  const first = await context.join(await context.client(), { topic, group })
  await first.received(total)
  const before = [...first.deliveries]
  const second = await context.join(await context.client(), { topic, group })
  await context.until('the second member to be given something', () => second.deliveries.length > 0)
  // The first copies of what the second member now holds: their owner has lost them.
  const lost = new Set(second.deliveries.map(delivery => delivery.position))
  const stale = before.filter(delivery => lost.has(delivery.position))
  assert.ok(stale.length > 0)
  for (const delivery of stale) delivery.done()
  await first.subscription.close(0)
  await second.subscription.close(0)

  const third = await context.join(await context.client(), { topic, group })
  await context.until('everything that was lost to be delivered again', () => {
    const seen = new Set(third.deliveries.map(delivery => delivery.position))
    return stale.every(delivery => seen.has(delivery.position))
  })
}

/** Never more than `maxInFlight` deliveries are out; each `done()` makes room for one. */
export async function maxInFlight(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport, 2)
  const total = 30
  const limit = 3
  await publishAll(context, transport, spread(topic, total))
  const out: Delivery[] = []
  let most = 0
  const member = await context.join(transport, {
    topic,
    maxInFlight: limit,
    onDelivery(delivery) {
      out.push(delivery)
      most = Math.max(most, out.length)
    }
  })
  await member.received(limit)
  const witness = await context.join(transport, { topic })
  await witness.received(total)
  assert.equal(member.deliveries.length, limit, 'nothing is acknowledged, so nothing more is handed out')
  await context.until('everything to be delivered', () => {
    for (const delivery of out.splice(0)) delivery.done()
    return member.deliveries.length === total
  })
  assert.ok(most <= limit, `${most} deliveries were out at once`)
}

/** One delivery is not done: of its partition only so much is handed out behind it; other partitions go on. */
export async function runAhead(context: Context): Promise<void> {
  const transport = await context.client()
  const [held = '', free = ''] = [await context.topic(transport), await context.topic(transport)]
  const limit = 5
  const total = 10 * limit * RUN_AHEAD
  await publishAll(context, transport, numbered(held, 1, total))
  const ofTopic = (topic: string) => member.deliveries.filter(delivery => delivery.topic === topic)
  const member = await context.join(await context.client(), {
    topic: [held, free],
    maxInFlight: limit,
    onDelivery(delivery) {
      if (delivery.raw.toString() !== 'm1' || delivery.topic === free) setImmediate(() => delivery.done())
    }
  })
  await context.until('others to run ahead', () => ofTopic(held).length > limit)
  // What a transport without a bound would hand out by the time that a witness has everything and others have gone on.
  const witness = await context.join(transport, { topic: held })
  await witness.received(total)
  for (const first of [1, 1 + total / 2]) {
    await publishAll(context, transport, numbered(free, first, total / 2))
    await context.until('the other topic to go on', () => ofTopic(free).length === first - 1 + total / 2)
  }
  const ahead = ofTopic(held).length - 1
  assert.ok(ahead <= limit * RUN_AHEAD, `${ahead} ran ahead of one that is not done`)
  ofTopic(held)[0]?.done()
  await context.until('everything', () => ofTopic(held).length === total)
  assert.deepEqual(
    ofTopic(held).map(delivery => delivery.raw.toString()),
    numbered(held, 1, total).map(({ value }) => value.toString()),
    'in order, each once'
  )
  await context.until('lag 0', async () => (await member.subscription.lag()) === 0n)
}

/** A paused member is handed nothing, keeps its place, and goes on where it was. */
export async function pauseAndResume(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport)
  const member = await context.join(transport, { topic, onDelivery: delivery => delivery.done() })
  await publishAll(context, transport, numbered(topic, 1, 3))
  await member.received(3)
  member.subscription.pause()
  member.subscription.pause()
  await publishAll(context, transport, numbered(topic, 4, 3))
  const witness = await context.join(transport, { topic })
  await witness.received(6)
  assert.deepEqual(member.texts(), ['m1', 'm2', 'm3'])
  member.subscription.resume()
  await member.received(6)
  assert.deepEqual(member.texts(), ['m1', 'm2', 'm3', 'm4', 'm5', 'm6'])
}

/** Messages `m<from>` and on, of one key. */
export function numbered(topic: string, from: number, count: number) {
  return Array.from({ length: count }, (_, i) => message(topic, 'k', `m${from + i}`))
}

/** Messages of many keys, so that every partition gets some. */
export function spread(topic: string, count: number) {
  return Array.from({ length: count }, (_, i) => message(topic, `key-${i}`, `m${i}`))
}
