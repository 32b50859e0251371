import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

export interface PlacingOptions {
  market: string
  orders: number
  /** Orders per second. */
  rate: number
  /** No more than so many for now; asked before each order. Default: no bound. */
  allowed?: () => number
  signal: AbortSignal
}

/** What the customers know. */
export interface Placed {
  /** The ids that market acknowledged with 202. */
  ids: string[]
  /** Requests that had to be repeated, with the same Idempotency-Key. */
  retries: number
  /** Resolves when every order was acknowledged, or the signal aborted. */
  done: Promise<void>
}

const TIMEOUT_MS = 10_000
const RETRY_MS = 200
const LAST_RETRY_MS = 1600
const GATE_MS = 50

/** One in ten is a real database, the rest sleep between 0.2 and 2 seconds. */
function orderOf(index: number) {
  if (index % 10 === 0) return { product: 'postgres', plan: index % 20 === 0 ? 'small' : 'medium' }
  return { product: 'sleeper', plan: 'simulated', parameters: { durationMs: 200 + ((index * 397) % 1800) } }
}

/** Sends one order until it is acknowledged: whatever became of the request before, the key makes it one order. */
async function placeOrder({ market, signal }: PlacingOptions, index: number, placed: Placed): Promise<void> {
  const headers = { 'content-type': 'application/json', 'idempotency-key': randomUUID() }
  const body = JSON.stringify(orderOf(index))
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      const within = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])
      const response = await fetch(`${market}/orders`, { method: 'POST', headers, body, signal: within })
      const answer = (await response.json()) as { id: string; message?: string }
      if (response.status === 202) {
        placed.ids.push(answer.id)
        return
      }
      if (response.status < 500 && ![408, 409, 425, 429].includes(response.status))
        throw new Refused(`market answers ${response.status}: ${answer.message}`)
    } catch (error) {
      if (error instanceof Refused) throw error
    }
    placed.retries += 1
    await sleep(Math.min(LAST_RETRY_MS, RETRY_MS * 2 ** (attempt - 1)) * (0.5 + Math.random()))
  }
}

class Refused extends Error {}

/** Places orders at a steady rate, whether or not earlier ones were acknowledged. */
export function placeOrders(options: PlacingOptions): Placed {
  const { orders, rate, signal, allowed = () => orders } = options
  const placed: Placed = { ids: [], retries: 0, done: Promise.resolve() }
  const pause = (ms: number) => sleep(ms, undefined, { signal }).catch(() => {})
  const run = async () => {
    const running: Promise<void>[] = []
    let next = performance.now()
    for (let index = 0; index < orders && !signal.aborted; index++) {
      while (index >= allowed() && !signal.aborted) await pause(GATE_MS)
      next = Math.max(next, performance.now() - GATE_MS)
      if (next > performance.now() + 1) await pause(next - performance.now())
      next += 1000 / rate
      running.push(placeOrder(options, index, placed))
    }
    await Promise.all(running)
  }
  placed.done = run()
  placed.done.catch(() => {})
  return placed
}
