import assert from 'node:assert/strict'
import { spread } from './acknowledging.ts'
import type { Context } from './context.ts'
import { message, publishAll } from './context.ts'

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
    assert.deepEqual(Buffer.from(got.key ?? 'absent'), Buffer.from(key))
    assert.deepEqual(Buffer.from(got.raw), sent.value)
    assert.deepEqual(Object.keys(got.headers).sort(), Object.keys(headers).sort())
    for (const [name, value] of Object.entries(headers))
      assert.deepEqual(Buffer.from(got.headers[name] ?? 'absent'), value)
    assert.ok(Math.abs(got.timestamp.getTime() - before) < 3_600_000, 'the timestamp is the time of publishing')
  }
  assert.deepEqual(Object.keys(deliveries[3]?.headers ?? { absent: '' }), [])
}

/** A key arrives as its producer wrote it, also where it is no text, such as a number in binary. */
export async function keysAreBytes(context: Context): Promise<void> {
  const { foreign } = context.fixture
  assert.ok(foreign, 'the fixture needs `foreign`, or the test must be skipped with a reason')
  const transport = await context.client()
  const topic = await context.topic(transport)
  const keys = ['0000000000000001', '0000000000000002', '80', '81', '00', '6b6579'].map(hex => Buffer.from(hex, 'hex'))
  const records = [...keys, null].map((key, i) => ({ key, value: Buffer.from(`m${i}`) }))
  await foreign(topic, records)
  const member = await context.join(transport, { topic })
  const deliveries = await member.received(records.length)
  assert.deepEqual(
    deliveries.map(({ key }) => key && Buffer.from(key).toString('hex')),
    records.map(({ key }) => key?.toString('hex'))
  )
  assert.ok(!('key' in (deliveries.at(-1) ?? {})), 'a record without a key has none')
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

/** An end that was noted keeps its place: what comes behind it does not count. */
export async function lagUpTo(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport, 3)
  const member = await context.join(transport, { topic })
  await publishAll(context, transport, spread(topic, 6))
  const before = await member.received(6)
  const end = await member.subscription.end()
  await publishAll(context, transport, spread(topic, 3))
  await member.received(9)
  await context.until('lag 6 up to the end', async () => (await member.subscription.lag(end)) === 6n)
  for (const delivery of before) delivery.done()
  await context.until('lag 0 up to the end', async () => (await member.subscription.lag(end)) === 0n)
  assert.equal(await member.subscription.lag(), 3n)
}

/** Members of one group that read different topics: every partition is read by one that reads its topic. */
export async function differentTopics(context: Context): Promise<void> {
  const transport = await context.client()
  const [a = '', b = ''] = [await context.topic(transport, 3), await context.topic(transport, 3)]
  for (const order of [
    [[a, b], [b]],
    [[b], [a, b]]
  ]) {
    const group = context.name('group')
    const seen = new Set<string>()
    const strays: string[] = []
    const join = async (topics: readonly string[]) =>
      context.join(await context.client(), {
        topic: topics,
        group,
        onDelivery(delivery) {
          if (!topics.includes(delivery.topic)) strays.push(delivery.position)
          seen.add(`${delivery.topic} ${delivery.raw}`)
          delivery.done()
        }
      })
    const round = async (of: readonly string[], from: number) => {
      const batch = of.flatMap(topic =>
        spread(topic, 30).map(m => ({ ...m, value: Buffer.from(`${from} ${m.value}`) }))
      )
      await publishAll(context, transport, batch)
      await context.until('every message of both topics', () =>
        batch.every(({ topic, value }) => seen.has(`${topic} ${value}`))
      )
    }
    const members = [await join(order[0] ?? []), await join(order[1] ?? [])]
    let rounds = 0
    const narrow = members[order.findIndex(topics => topics.length === 1)]
    // It joins while others work, and some transports give partitions by and by.
    await context.until('the member that reads one topic to take part', async () => {
      await round([b], rounds++)
      return (narrow?.deliveries.length ?? 0) > 0
    })
    await round([a, b], rounds++)
    await narrow?.subscription.close(1000)
    await round([a, b], rounds++)
    assert.deepEqual(strays, [], 'nobody is given what it does not read')
  }
}
