import { randomUUID } from 'node:crypto'
import type { PublishResult } from '@steadfast/events'
import { relayOnce } from '@steadfast/relay/testing'
import { confirmEvent, storeOn } from '@steadfast/store/internal'
import fc from 'fast-check'
import t from 'tap'
import { sweepOnce } from '../src/testing.ts'
import { market, request } from './helper.ts'

const MAX_SENDS = 3
const acknowledged: PublishResult = { ok: true }
const failed = (kind: 'unknown' | 'unavailable'): PublishResult => ({ ok: false, kind, error: new Error(kind) })

// Whatever two relays, a sweeper, the broker and an answer do at once: each send that was acknowledged is counted once,
// none more, and the status only moves forward. The broker's answers come when the property says so.
t.test('any interleaving counts exactly what the broker took', async t => {
  const { app, start, write, rows, broker, pool } = await market(t)
  const relays = [app, await start()]
  const db = storeOn(pool)
  const rank: Record<string, number> = { NEW: 0, PUBLISHED: 1, PARKED: 2, CONFIRMED: 3 }
  const seen = { overlapping: 0, repeated: 0, parked: 0, overtaking: 0 }
  const step = fc.constantFrom<'relay0' | 'relay1' | 'sweep' | 'ack' | 'unknown' | 'unavailable' | 'confirm'>(
    ...(['relay0', 'relay0', 'relay1', 'relay1', 'sweep', 'sweep', 'ack', 'ack', 'ack', 'ack'] as const),
    ...(['unknown', 'unavailable', 'confirm'] as const)
  )

  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async steps => {
      await pool.query('truncate steadfast.event')
      const event = request({ maxSends: MAX_SENDS, confirmWithinMs: 1000 })
      await write([event])
      const attempts: number[] = []
      const pending: { attempt: number; answer(result: PublishResult): void }[] = []
      broker.transport.publish = batch => {
        const attempt = Number(batch[0]?.headers.ce_attempt)
        if (pending.length > 0) seen.overlapping++
        return new Promise(resolve => pending.push({ attempt, answer: result => resolve([result]) }))
      }
      const answer = (result: PublishResult) => {
        const send = pending.shift()
        if (send === undefined) return
        if (result.ok && attempts.includes(send.attempt)) seen.repeated++
        if (result.ok) attempts.push(send.attempt)
        send.answer(result)
      }
      let status = 'NEW'
      const look = async () => {
        const [row] = await rows()
        if (row === undefined) throw new Error('the event is gone')
        if ((rank[row.status] ?? -1) < (rank[status] ?? -1)) throw new Error(`${status} → ${row.status}`)
        if (row.status === 'PARKED' && row.count !== MAX_SENDS) throw new Error(`parked after ${row.count} sends`)
        status = row.status
        return row.count
      }

      const running = new Set<Promise<unknown>>()
      const run = (work: Promise<unknown>) => {
        const ended = work.finally(() => running.delete(ended))
        running.add(ended)
      }
      for (const next of steps) {
        const [one, two] = relays
        if (next === 'relay0' && one) run(relayOnce(one))
        else if (next === 'relay1' && two) run(relayOnce(two))
        else if (next === 'sweep') run(sweepOnce(app, { now: new Date(Date.now() + 3_600_000) }))
        else if (next === 'confirm') {
          if (status === 'NEW') seen.overtaking++
          run(confirmEvent(db, { causationId: event.id, answerId: randomUUID(), source: 'deploy', answersType: null }))
        } else answer(next === 'ack' ? acknowledged : failed(next as 'unknown' | 'unavailable'))
        await look()
      }
      // then the broker is well, and everybody works until there is nothing left to do
      while (running.size > 0 || (status !== 'PARKED' && status !== 'CONFIRMED')) {
        if (running.size === 0) {
          run(relayOnce(app))
          run(sweepOnce(app, { now: new Date(Date.now() + 3_600_000) }))
        }
        if (pending.length > 0) answer(acknowledged)
        await look()
      }
      const count = await look()
      if (status === 'PARKED') seen.parked++
      return [...new Set(attempts)].toSorted().join() === Array.from({ length: count }, (_, i) => i + 1).join()
    }),
    { numRuns: 40 }
  )
  for (const [what, times] of Object.entries(seen)) t.ok(times > 0, `${what}: ${times}`)
})
