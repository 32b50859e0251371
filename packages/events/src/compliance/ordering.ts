import assert from 'node:assert/strict'
import type { Outgoing, Transport } from '../transport.ts'
import type { Context } from './context.ts'
import { message, outcomes, publish, publishAll } from './context.ts'
import { oversized } from './publishing.ts'

/** Key `a` fails in the middle of a batch: nothing later of `a` is appended, and `b` is not held up for good. */
export async function orderUnderPartialFailure(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport, 4)
  const batch = ['a1', 'b1', 'a2', 'b2', 'a3', 'b3', 'a4'].map(text => message(topic, text.charAt(0), text))
  batch[2] = { ...message(topic, 'a', 'a2'), value: oversized(context, transport) }
  const results = await publish(transport, batch)
  assert.deepEqual(outcomes(results), ['ok', 'ok', 'refused', 'ok', 'unavailable', 'ok', 'unavailable'])

  if (context.fixture.faults?.failPartition) await failOnePartition(context, transport, topic)

  await publishAll(context, transport, [message(topic, 'a', 'a5'), message(topic, 'b', 'b5')])
  const member = await context.join(transport, { topic })
  await context.until('the last messages of both keys', () => {
    const texts = member.texts()
    return texts.includes('a5') && texts.includes('b5')
  })
  const texts = member.texts().filter(text => text.length === 2)
  assert.deepEqual(ofKey(texts, 'a'), ['a1', 'a5'])
  assert.deepEqual(ofKey(texts, 'b'), ['b1', 'b2', 'b3', 'b5'])
}

async function failOnePartition(context: Context, transport: Transport, topic: string): Promise<void> {
  const fail = context.fixture.faults?.failPartition
  assert.ok(fail)
  const heal = await context.inflict(fail(topic, 'a'))
  const batch = ['a-x', 'a-y', 'a-z'].map(text => message(topic, 'a', text))
  const failed = await publish(transport, batch)
  assert.ok(
    failed.every(result => !result.ok),
    'publishing to a failed partition cannot succeed'
  )
  await heal()
  await publishAll(context, transport, batch)
  const witness = await context.join(transport, { topic })
  await context.until('a-z', () => witness.texts().includes('a-z'))
  // An unknown outcome may have been stored, so the whole run may stand there twice, but never out of order.
  const runs = witness
    .texts()
    .filter(text => text.startsWith('a-'))
    .join(' ')
  assert.match(runs, /^((a-x )?(a-x a-y )?)?a-x a-y a-z( a-x a-y a-z)*$/)
}

/** Two publishers write the same keys at once while a consumer reads: it skips nothing, and a second reading agrees. */
export async function commitOrder(context: Context): Promise<void> {
  const publishers = await Promise.all([context.client(), context.client()])
  const [first] = publishers
  assert.ok(first)
  const topic = await context.topic(first, 2)
  const live = await context.join(await context.client(), { topic, onDelivery: delivery => delivery.done() })
  const rounds = 20
  const keys = ['k1', 'k2', 'k3']
  await Promise.all(
    publishers.map(async (publisher, p) => {
      for (let round = 0; round < rounds; round++) {
        const batch: Outgoing[] = keys.flatMap(key => [0, 1].map(i => message(topic, key, `${key}/${p}/${round}/${i}`)))
        await publishAll(context, publisher, batch)
      }
    })
  )
  const total = rounds * keys.length * 2 * publishers.length
  await live.received(total)
  const again = await context.join(await context.client(), { topic })
  await again.received(total)
  assert.equal(new Set(live.texts()).size, total, 'the live consumer saw every message')
  for (const key of keys) {
    const seen = ofKey(live.texts(), `${key}/`)
    assert.deepEqual(seen, ofKey(again.texts(), `${key}/`), 'a second reading finds the order of the first')
    for (const p of publishers.keys()) {
      const sent = Array.from({ length: rounds * 2 }, (_, i) => `${key}/${p}/${i >> 1}/${i & 1}`)
      assert.deepEqual(ofKey(seen, `${key}/${p}/`), sent, 'each publisher is read in the order of its own calls')
    }
  }
}

function ofKey(texts: readonly string[], start: string): string[] {
  return texts.filter(text => text.startsWith(start))
}
