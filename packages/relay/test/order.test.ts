import { until } from '@steadfast/dev-services'
import type { Outgoing, PublishResult } from '@steadfast/events'
import t from 'tap'
import { database, event, failed, recordingTransport, server } from './helper.ts'

/** A repeatable sequence of numbers in [0, 1). */
function randomOf(seed: number) {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** Everything a transport may do and stay within its contract: fail keys, lose answers, refuse, fail as a whole. */
function unreliable(broker: ReturnType<typeof recordingTransport>, random: () => number, refused: Set<string>) {
  return async (batch: readonly Outgoing[]): Promise<PublishResult[]> => {
    await new Promise(resolve => setTimeout(resolve, random() * 3))
    if (random() < 0.05) return batch.map(() => failed('unavailable'))
    if (random() < 0.05) {
      for (const message of batch.slice(0, Math.floor(random() * batch.length))) {
        if (refused.has(String(message.headers.ce_id))) break
        broker.accept(message)
      }
      return batch.map(() => failed('unknown'))
    }
    const stopped = new Set<string>()
    return batch.map(message => {
      if (stopped.has(message.key)) return failed('unavailable')
      const dice = random()
      if (dice > 0.02 && !refused.has(String(message.headers.ce_id))) return broker.accept(message)
      stopped.add(message.key)
      if (refused.has(String(message.headers.ce_id))) return failed('refused')
      if (dice < 0.01) broker.accept(message)
      return failed(dice < 0.015 ? 'unknown' : 'unavailable')
    })
  }
}

function inversions(log: { id: string; key: string }[], order: Map<string, number>): number {
  const seen = new Set<string>()
  const last = new Map<string, number>()
  let count = 0
  for (const { id, key } of log) {
    if (seen.has(id)) continue
    seen.add(id)
    const position = order.get(id) ?? -1
    if (position < (last.get(key) ?? -1)) count++
    last.set(key, position)
  }
  return count
}

for (const seed of [1, 2, 3]) {
  t.test(`four relays on an unreliable transport keep the order of every key, seed ${seed}`, async t => {
    const { url, write, rows } = await database(t)
    const broker = recordingTransport()
    const random = randomOf(seed)
    const events = Array.from({ length: 1500 }, (_, n) => event({ key: random() < 0.4 ? 'hot' : `k${n % 40}` }))
    const refused = new Set(events.filter(() => random() < 0.005).map(({ id }) => id))
    broker.answer = unreliable(broker, random, refused)
    // Lanes that are never agreed upon: each relay takes itself for the only one.
    const options = { schedule: true, pollIntervalMs: 5, batchSize: 40, deadAfterMs: 1, beatIntervalMs: 50 }
    for (let n = 0; n < 4; n++) await server(t, url, broker.transport, options)
    for (let n = 0; n < events.length; n += 50) await write(events.slice(n, n + 50))
    await until(async () => (await rows('due')).length === 0, { timeoutMs: 30_000, what: 'an empty outbox' })
    t.equal(inversions(broker.log, new Map(events.map(({ id }, n) => [id, n]))), 0)
    t.equal(new Set(broker.log.map(({ id }) => id)).size, events.length - refused.size, 'all but the refused arrived')
    t.equal((await rows(`status = 'PARKED'`)).length, refused.size)
    t.comment(`${broker.log.length - (events.length - refused.size)} duplicates`)
  })
}
