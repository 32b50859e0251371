import assert from 'node:assert/strict'
import type { Delivery } from '../transport.ts'
import { numbered, spread } from './acknowledging.ts'
import type { Context } from './context.ts'
import { message, publishAll } from './context.ts'

const acknowledge = (delivery: Delivery) => delivery.done()

/** Back to the beginning: everything is delivered again, and what was handed out before is stale. */
export async function rewindToBeginning(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport)
  const group = context.name('group')
  await publishAll(context, transport, numbered(topic, 1, 4))
  const member = await context.join(await context.client(), { topic, group })
  const before = await member.received(4)
  before[0]?.done()
  before[1]?.done()
  await member.subscription.rewind('beginning')
  for (const delivery of before) delivery.done()
  await member.received(8)
  assert.deepEqual(member.texts().slice(4), ['m1', 'm2', 'm3', 'm4'])
  await member.subscription.close(0)
  const next = await context.join(await context.client(), { topic, group })
  await next.received(4)
  assert.deepEqual(next.texts(), ['m1', 'm2', 'm3', 'm4'], 'the stale acknowledgements moved nothing')
}

/** To a time: the first message that is not older comes next. */
export async function rewindToTime(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport)
  const member = await context.join(await context.client(), { topic, onDelivery: acknowledge })
  await publishAll(context, transport, numbered(topic, 1, 3))
  const last = latest(await member.received(3))
  await pastTime(context, last)
  await publishAll(context, transport, numbered(topic, 4, 2))
  const boundary = (await member.received(5))[3]?.timestamp
  assert.ok(boundary && boundary.getTime() > last, 'timestamps grow')
  await member.subscription.rewind(boundary)
  await member.received(7)
  assert.deepEqual(member.texts().slice(5), ['m4', 'm5'])
  await member.subscription.rewind(new Date(-1))
  await member.received(12)
  assert.deepEqual(member.texts().slice(7), ['m1', 'm2', 'm3', 'm4', 'm5'], 'a time before 1970 is the beginning')
}

/** A time that is not behind the group's place moves nothing, and what is in hand stays right. */
export async function neverForward(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport)
  const group = context.name('group')
  await publishAll(context, transport, numbered(topic, 1, 3))
  const member = await context.join(await context.client(), { topic, group, maxInFlight: 2 })
  const inHand = await member.received(2)
  const witness = await context.join(transport, { topic, onDelivery: acknowledge })
  await pastTime(context, latest(await witness.received(3)))
  await publishAll(context, transport, numbered(topic, 4, 2))
  const later = (await witness.received(5))[3]?.timestamp
  assert.ok(later)
  for (const to of [later, new Date(Date.now() + 7 * 86_400_000), inHand[0]?.timestamp as Date]) {
    await member.subscription.rewind(to)
    assert.equal(await member.subscription.lag(), 5n, 'a rewind gives up nothing')
  }
  let acknowledged = 0
  await context.until('everything to be done', () => {
    while (acknowledged < member.deliveries.length) member.deliveries[acknowledged++]?.done()
    return acknowledged >= 5
  })
  await context.until('lag 0', async () => (await member.subscription.lag()) === 0n)
  assert.deepEqual(member.texts(), ['m1', 'm2', 'm3', 'm4', 'm5'], 'nothing came twice: what was in hand stayed right')
  await member.subscription.rewind(new Date(Date.now() + 7 * 86_400_000))
  await publishAll(context, transport, numbered(topic, 6, 1))
  await member.received(6)
  assert.deepEqual(member.texts().slice(5), ['m6'])
}

/** One partition is read, another lags: a time within the backlog takes the first back, and the second keeps its place. */
export async function laggingGroup(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport, 2)
  const total = 30
  const witness = await context.join(transport, { topic, onDelivery: acknowledge })
  await publishAll(context, transport, spread(topic, total))
  await pastTime(context, latest(await witness.received(total)))
  const part = (delivery: Delivery) => delivery.position.split(':')[0]
  const read = part(witness.deliveries[0] as Delivery)
  assert.ok(new Set(witness.deliveries.map(part)).size > 1, 'keys on both partitions')
  const handed = new Set<Delivery>()
  let holding = true
  const member = await context.join(await context.client(), {
    topic,
    onDelivery(delivery) {
      if (!holding || part(delivery) === read) delivery.done()
      else handed.add(delivery)
    }
  })
  await member.received(total)
  const second = spread(topic, total).map(({ key }, i) => message(topic, key, `second-${i}`))
  await publishAll(context, transport, second)
  await witness.received(2 * total)
  const boundary = witness.deliveries.slice(total).map(delivery => delivery.timestamp.getTime())
  await member.received(2 * total)
  const backlog = BigInt(witness.deliveries.filter(delivery => part(delivery) !== read).length)
  await context.until('one partition to lag', async () => (await member.subscription.lag()) === backlog)
  holding = false
  const before = member.deliveries.length
  await member.subscription.rewind(new Date(Math.min(...boundary)))
  for (const delivery of handed) delivery.done()
  await context.until('lag 0', async () => (await member.subscription.lag()) === 0n)
  const again = member.deliveries.slice(before)
  assert.ok(
    again.every(delivery => delivery.raw.toString().startsWith('second-')),
    'the read partition comes again from the time on, the other one keeps what it had in hand'
  )
  assert.deepEqual(
    new Set(again.filter(d => part(d) === read).map(d => d.position)),
    new Set(witness.deliveries.slice(total).flatMap(d => (part(d) === read ? [d.position] : []))),
    'all of it comes again'
  )
}

/** What is no time is refused, and is never the end. */
export async function refusesNoTime(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport)
  await publishAll(context, transport, numbered(topic, 1, 3))
  const member = await context.join(await context.client(), { topic, maxInFlight: 1 })
  await member.received(1)
  const noTimes: unknown[] = [new Date(Number.NaN), 'end', '2026-01-01 00:00:00+00', 0, null, undefined]
  for (const to of noTimes) {
    await assert.rejects(member.subscription.rewind(to as 'beginning'), { code: 'SF_EVENTS_REWIND_INVALID' })
    assert.equal(await member.subscription.lag(), 3n)
  }
}

function latest(deliveries: readonly Delivery[]): number {
  return Math.max(...deliveries.map(delivery => delivery.timestamp.getTime()))
}

/** So that what is published from now on has later times. */
async function pastTime(context: Context, time: number): Promise<void> {
  await context.until('the clock to move on', () => Date.now() > time + 20)
}
