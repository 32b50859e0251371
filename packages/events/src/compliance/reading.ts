import assert from 'node:assert/strict'
import { numbered, spread } from './acknowledging.ts'
import type { Context } from './context.ts'
import { message, publishAll } from './context.ts'

/** Back to the beginning: everything is delivered again, and what was handed out before is stale. */
export async function seekBeginning(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport)
  const group = context.name('group')
  await publishAll(context, transport, numbered(topic, 1, 4))
  const member = await context.join(await context.client(), { topic, group })
  const before = await member.received(4)
  before[0]?.done()
  before[1]?.done()
  await member.subscription.seek('beginning')
  for (const delivery of before) delivery.done()
  await member.received(8)
  assert.deepEqual(member.texts().slice(4), ['m1', 'm2', 'm3', 'm4'])
  await member.subscription.close(0)
  const next = await context.join(await context.client(), { topic, group })
  await next.received(4)
  assert.deepEqual(next.texts(), ['m1', 'm2', 'm3', 'm4'], 'the stale acknowledgements moved nothing')
}

/** Forward to the end: what was not done is given up, and what comes next is delivered. */
export async function seekEnd(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport)
  await publishAll(context, transport, numbered(topic, 1, 5))
  const member = await context.join(await context.client(), { topic, maxInFlight: 1 })
  await member.received(1)
  await member.subscription.seek('end')
  await context.until('lag 0', async () => (await member.subscription.lag()) === 0n)
  await publishAll(context, transport, numbered(topic, 6, 1))
  await member.received(2)
  assert.deepEqual(member.texts(), ['m1', 'm6'])
}

/** To a time: the first message that is not older comes next. */
export async function seekDate(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport)
  const member = await context.join(await context.client(), { topic, onDelivery: delivery => delivery.done() })
  await publishAll(context, transport, numbered(topic, 1, 3))
  const early = (await member.received(3)).map(delivery => delivery.timestamp.getTime())
  const last = Math.max(...early)
  await context.until('the clock to move on', () => Date.now() > last + 20)
  await publishAll(context, transport, numbered(topic, 4, 2))
  const boundary = (await member.received(5))[3]?.timestamp
  assert.ok(boundary && boundary.getTime() > last, 'timestamps grow')
  await member.subscription.seek(boundary)
  await member.received(7)
  assert.deepEqual(member.texts().slice(5), ['m4', 'm5'])
  await member.subscription.seek(new Date(-1))
  await member.received(12)
  assert.deepEqual(member.texts().slice(7), ['m1', 'm2', 'm3', 'm4', 'm5'], 'a time before 1970 is the beginning')
}

/** Each group has offsets of its own. */
export async function twoGroups(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport, 3)
  const total = 20
  const onDelivery = (delivery: { done(): void }) => delivery.done()
  const first = await context.join(transport, { topic, onDelivery })
  const second = await context.join(transport, { topic, onDelivery })
  await publishAll(context, transport, spread(topic, total))
  await first.received(total)
  await second.received(total)
  for (const member of [first, second]) {
    assert.equal(new Set(member.texts()).size, total)
    assert.equal(new Set(member.deliveries.map(delivery => delivery.position)).size, total, 'positions are unique')
  }
}

/** What arrives is what was published, byte by byte. */
export async function exactBytes(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport)
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
  const headers = {
    ce_id: Buffer.from('0192'),
    'content-type': Buffer.from('application/json'),
    binary: everyByte,
    empty: Buffer.alloc(0),
    unicode: Buffer.from('größe 漢字 🚚')
  }
  const key = 'clé "🔑" \\ \''
  const before = Date.now()
  const batch = [everyByte, Buffer.alloc(0), Buffer.from('{"n":1.0,"n":2}')].map(value => ({
    topic,
    key,
    headers,
    value
  }))
  await publishAll(context, transport, [...batch, { ...message(topic, 'plain', 'no headers') }])
  const member = await context.join(transport, { topic })
  const deliveries = await member.received(4)
  for (const [i, sent] of batch.entries()) {
    const got = deliveries[i]
    assert.ok(got)
    assert.equal(got.topic, topic)
    assert.equal(got.key, key)
    assert.deepEqual(Buffer.from(got.raw), sent.value)
    assert.deepEqual(Object.keys(got.headers).sort(), Object.keys(headers).sort())
    for (const [name, value] of Object.entries(headers))
      assert.deepEqual(Buffer.from(got.headers[name] ?? 'absent'), value)
    assert.ok(Math.abs(got.timestamp.getTime() - before) < 3_600_000, 'the timestamp is the time of publishing')
  }
  assert.deepEqual(Object.keys(deliveries[3]?.headers ?? { absent: '' }), [])
}

/** A group that nobody has heard of reads what was published before it existed. */
export async function newGroup(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport, 2)
  await publishAll(context, transport, spread(topic, 10))
  const member = await context.join(await context.client(), { topic })
  await member.received(10)
  assert.equal(new Set(member.texts()).size, 10)
}

/** `lag()` counts what is not yet done, over all partitions, handed out or not. */
export async function lag(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport, 3)
  const member = await context.join(transport, { topic, maxInFlight: 4 })
  await publishAll(context, transport, spread(topic, 9))
  await member.received(4)
  await context.until('lag 9', async () => (await member.subscription.lag()) === 9n)
  let acknowledged = 0
  await context.until('everything', () => {
    while (acknowledged < member.deliveries.length) member.deliveries[acknowledged++]?.done()
    return acknowledged === 9
  })
  await context.until('lag 0', async () => (await member.subscription.lag()) === 0n)
}
