import {
  encodeEvent,
  type Outgoing,
  type PublishResult,
  type SigningKey,
  signMessage,
  type Transport
} from '@steadfast/events'
import type { DueEvent } from '@steadfast/store/internal'

// A transport that ignores its signal is given up this long after the signal.
const GRACE_MS = 2000

/**
 * Hands a batch to the transport and answers for every event of it, whatever the transport does: what it does not
 * answer for is `unknown`. An event that cannot be encoded is `refused`, and so holds up nothing else.
 */
export async function sendBatch(
  transport: Transport,
  events: readonly DueEvent[],
  { signal, timeoutMs, sign }: { signal: AbortSignal; timeoutMs: number; sign: SigningKey | undefined }
): Promise<PublishResult[]> {
  const results = new Array<PublishResult | undefined>(events.length)
  const messages: Outgoing[] = []
  const positions: number[] = []
  for (const [i, event] of events.entries()) {
    try {
      const message = encodeEvent(event)
      const signed = sign === undefined ? message : signMessage(message, sign)
      // Whoever asked for a signal named its topic, and could have any number of topics made.
      messages.push(event.type.startsWith('steadfast.') ? { ...signed, mustExist: true } : signed)
      positions.push(i)
    } catch (error) {
      results[i] = { ok: false, kind: 'refused', error: error as Error }
    }
  }
  if (messages.length > 0) {
    const answers = await publish(transport, messages, signal, timeoutMs)
    for (const [n, i] of positions.entries()) results[i] = answers[n]
  }
  return results.map(result => result ?? unknown(new Error(`${transport.name} did not answer for this message`)))
}

// A controller of its own rather than AbortSignal.any: what that makes stays tied to the signal of the whole relay.
async function publish(
  transport: Transport,
  messages: Outgoing[],
  signal: AbortSignal,
  timeoutMs: number
): Promise<PublishResult[]> {
  const limit = new AbortController()
  let grace: NodeJS.Timeout | undefined
  const overdue = new Promise<never>((_, reject) => {
    const give = () => reject(new Error(`${transport.name} did not settle in time`))
    limit.signal.addEventListener('abort', () => {
      grace = setTimeout(give, GRACE_MS).unref()
    })
  })
  const end = () => limit.abort(signal.reason)
  signal.addEventListener('abort', end)
  const timer = setTimeout(() => limit.abort(new Error(`not sent within ${timeoutMs} ms`)), timeoutMs)
  try {
    if (signal.aborted) end()
    return await Promise.race([transport.publish(messages, limit.signal), overdue])
  } catch (error) {
    return messages.map(() => unknown(error as Error))
  } finally {
    clearTimeout(timer)
    clearTimeout(grace)
    signal.removeEventListener('abort', end)
  }
}

const unknown = (error: Error): PublishResult => ({ ok: false, kind: 'unknown', error })
