import assert from 'node:assert/strict'
import type { PublishResult, Transport } from '../transport.ts'
import type { Context } from './context.ts'
import { message, outcomes, publish, publishAll } from './context.ts'

/** A value that the broker refuses as too large. */
export function oversized(context: Context, transport: Transport): Buffer {
  const known = transport.capabilities.maxBytes
  const bytes = context.fixture.faults?.oversizeBytes ?? (known === undefined ? undefined : known + 1)
  assert.ok(bytes, 'faults.oversizeBytes or capabilities.maxBytes is needed, or the test must be skipped with a reason')
  return Buffer.alloc(bytes, 'x')
}

/** Results stand in the order of the batch and speak of one message each; an empty batch is answered by an empty list. */
export async function perMessageResults(context: Context): Promise<void> {
  const transport = await context.client()
  const topics = [await context.topic(transport, 3), await context.topic(transport, 1)]
  assert.deepEqual(await publish(transport, []), [])
  const batch = Array.from({ length: 9 }, (_, i) => message(topics[i % 2] ?? '', `key-${i}`, `m${i}`))
  batch[4] = { ...message(topics[0] ?? '', 'key-4', ''), value: oversized(context, transport) }
  const results = await publish(transport, batch)
  assert.deepEqual(
    outcomes(results),
    batch.map((_, i) => (i === 4 ? 'refused' : 'ok'))
  )
  const members = await Promise.all(topics.map(topic => context.join(transport, { topic })))
  await members[0]?.received(4)
  await members[1]?.received(4)
  assert.deepEqual(members[0]?.texts().sort(), ['m0', 'm2', 'm6', 'm8'])
  assert.deepEqual(members[1]?.texts().sort(), ['m1', 'm3', 'm5', 'm7'])
}

/** A topic that is missing fails its own messages only, says so, and is not created by messages that must not create it. */
export async function missingTopic(context: Context): Promise<void> {
  const transport = await context.client()
  const topics = [await context.topic(transport), await context.topic(transport)]
  const missing = context.name('missing')
  const mustExist = true
  const batch = ['m0', 'm1', 'm2', 'm3', 'm4', 'm5'].map((text, i) => ({
    ...message(i % 3 === 1 ? missing : (topics[i % 2] ?? ''), 'k', text),
    mustExist
  }))
  for (const attempt of ['the first', 'the second']) {
    const results = await publish(transport, batch)
    assert.deepEqual(outcomes(results), ['ok', 'unavailable', 'ok', 'ok', 'unavailable', 'ok'], `${attempt} attempt`)
    assert.deepEqual(
      results.map(result => !result.ok && result.about),
      [false, 'topic', false, false, 'topic', false],
      'the failure is about the topic'
    )
  }
  const members = await Promise.all(topics.map(topic => context.join(transport, { topic })))
  await Promise.all(members.map(member => member.received(4)))
  assert.deepEqual(
    members.map(member => member.texts()),
    [
      ['m0', 'm2', 'm0', 'm2'],
      ['m3', 'm5', 'm3', 'm5']
    ]
  )
  await transport.ensureTopics([{ name: missing, partitions: 1 }])
  await publishAll(context, transport, batch)
  const member = await context.join(transport, { topic: missing })
  await member.received(2)
  assert.deepEqual(member.texts(), ['m1', 'm4'], 'and goes once the topic exists')
}

/** The broker's answer is lost: the result says `unknown`, in bounded time, and a second try gets the message there. */
export async function unknownOutcome(context: Context): Promise<void> {
  const lose = context.fixture.faults?.loseAcknowledgements
  assert.ok(lose, 'faults.loseAcknowledgements is needed, or the test must be skipped with a reason')
  const transport = await context.client()
  const topic = await context.topic(transport)
  await publishAll(context, transport, [message(topic, 'k', 'before')])
  const heal = await context.inflict(lose())
  const batch = [message(topic, 'k', 'lost'), message(topic, 'k', 'later')]
  const results = await publish(transport, batch)
  assert.equal(results.length, 2)
  assert.equal(outcomes(results)[0], 'unknown', 'a message whose answer was lost may have been stored')
  assert.notEqual(outcomes(results)[1], 'ok')
  await heal()
  await context.until('the same client to publish again', async () =>
    (await publish(transport, batch)).every(r => r.ok)
  )
  const member = await context.join(await context.client(), { topic })
  await context.until('both messages', () => member.texts().includes('lost') && member.texts().includes('later'))
  assert.equal(member.texts().indexOf('lost'), 1, 'the second message is not read before the first')
}

/** A value that is too large is refused, alone and for good, and the client goes on. */
export async function oversize(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport)
  const large = { ...message(topic, 'large', ''), value: oversized(context, transport) }
  const results = await publish(transport, [message(topic, 'small', 'm1'), large, message(topic, 'small', 'm2')])
  assert.deepEqual(outcomes(results), ['ok', 'refused', 'ok'])
  const [alone] = await publish(transport, [large])
  assert.ok(alone && !alone.ok && alone.kind === 'refused' && alone.error instanceof Error)
  await publishAll(context, transport, [message(topic, 'large', 'm3')])
  const member = await context.join(transport, { topic })
  await member.received(3)
  assert.deepEqual(member.texts(), ['m1', 'm2', 'm3'])
}

/** Whatever the broker does, `publish` resolves with one result per message. */
export async function neverRejects(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport)
  const batch = [message(topic, 'k', 'm1'), message(topic, 'k', 'm2')]
  assert.deepEqual(outcomes(await transport.publish(batch, AbortSignal.abort())).includes('ok'), false)
  const unheardOf = await publish(transport, [message(context.name('unheard-of'), 'k', 'm')])
  assert.equal(unheardOf.length, 1)
  const away = context.fixture.faults?.away
  if (!away) return
  const heal = await context.inflict(away())
  const results = await publish(transport, batch)
  assert.equal(results.length, 2)
  assert.ok(
    results.every(result => !result.ok && result.error instanceof Error),
    'nothing can be taken meanwhile'
  )
  await context.until('health() to tell that the broker is away', () => {
    const { ready, reason } = transport.health()
    return !ready && reason
  })
  await heal()
  await context.until('the same client to publish again', async () =>
    (await publish(transport, batch)).every(r => r.ok)
  )
  await context.until('health() to be ready again', () => transport.health().ready)
}

/** An aborted signal makes `publish` settle; what it answers is true: `ok` was stored, `unavailable` was not. */
export async function abortSettles(context: Context): Promise<void> {
  const transport = await context.client()
  const topic = await context.topic(transport)
  await publishAll(context, transport, [message(topic, 'k', 'before')])
  const lose = context.fixture.faults?.loseAcknowledgements
  const heal = lose ? await context.inflict(lose()) : undefined
  const controller = new AbortController()
  const batch = Array.from({ length: 50 }, (_, i) => message(topic, `key-${i % 7}`, `m${i}`))
  const publishing = transport.publish(batch, controller.signal)
  controller.abort(new Error('the caller has no more time'))
  const results = await publishing
  assert.equal(results.length, batch.length)
  await heal?.()
  await context.until('the client to publish again', async () => {
    const [result] = await publish(transport, [message(topic, 'k', 'after')])
    return result?.ok
  })
  const member = await context.join(await context.client(), { topic })
  await context.until('what came after', () => member.texts().includes('after'))
  assertTrue(
    results,
    batch.map(({ value }) => value.toString()),
    member.texts()
  )
}

function assertTrue(results: readonly PublishResult[], sent: readonly string[], stored: readonly string[]): void {
  for (const [i, outcome] of outcomes(results).entries()) {
    const there = stored.includes(sent[i] ?? '')
    if (outcome === 'ok') assert.ok(there, `${sent[i]} was answered with ok`)
    if (outcome === 'unavailable') assert.ok(!there, `${sent[i]} was answered with unavailable`)
  }
}
