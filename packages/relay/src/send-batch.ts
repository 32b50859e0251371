import { setTimeout as sleep } from 'node:timers/promises'
import { encodeEvent, type Outgoing, type PublishResult, type Transport } from '@steadfast/events'
import type { DueEvent } from '@steadfast/store'

// A transport that ignores its signal is given up this long after the signal.
const GRACE_MS = 2000

/**
 * Hands a batch to the transport and answers for every event of it, whatever the transport does: what it does not
 * answer for is `unknown`. An event that cannot be encoded is `refused`, and so holds up nothing else.
 */
export async function sendBatch(
  transport: Transport,
  events: readonly DueEvent[],
  { signal, timeoutMs }: { signal: AbortSignal; timeoutMs: number }
): Promise<PublishResult[]> {
  const results = new Array<PublishResult | undefined>(events.length)
  const messages: Outgoing[] = []
  const positions: number[] = []
  for (const [i, event] of events.entries()) {
    try {
      messages.push(encodeEvent(event))
      positions.push(i)
    } catch (error) {
      results[i] = { ok: false, kind: 'refused', error: error as Error }
    }
  }
  if (messages.length > 0) {
    const answers = await publish(transport, messages, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]))
    for (const [n, i] of positions.entries()) results[i] = answers[n]
  }
  return results.map(result => result ?? unknown(new Error(`${transport.name} did not answer for this message`)))
}

async function publish(transport: Transport, messages: Outgoing[], signal: AbortSignal): Promise<PublishResult[]> {
  const done = new AbortController()
  try {
    return await Promise.race([transport.publish(messages, signal), overdue(transport, signal, done.signal)])
  } catch (error) {
    return messages.map(() => unknown(error as Error))
  } finally {
    done.abort()
  }
}

async function overdue(transport: Transport, signal: AbortSignal, done: AbortSignal): Promise<never> {
  if (!signal.aborted) {
    await new Promise<void>(resolve => {
      signal.addEventListener('abort', () => resolve(), { once: true, signal: done })
      done.addEventListener('abort', () => resolve(), { once: true })
    })
  }
  if (!done.aborted) await sleep(GRACE_MS, undefined, { signal: done, ref: false }).catch(() => {})
  throw new Error(`${transport.name} did not settle in time`)
}

const unknown = (error: Error): PublishResult => ({ ok: false, kind: 'unknown', error })
