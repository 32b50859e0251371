import { setTimeout as sleep } from 'node:timers/promises'
import type { Journal } from '../cluster/journal.ts'
import type { NoteBehaviour, NoteForm } from '../cluster/services/notes.ts'
import type { Random } from '../random.ts'

/** One wish of a client, and how it is to be found again: an order by its failure rate, a note by its tag. */
interface Wish {
  tag: string
  action: 'order' | 'note'
  path: string
  body: object
}

/** A real database is made for one order in fifty, and more and more rarely: the disk is small. */
const mayCostDisk = (index: number, random: Random) => random.next() < Math.min(0.02, 20 / index)

/** Failure rates differ by so little that they only name their orders. */
const TAG_STEP = 1e-7

/** The tag of an order, from the parameters in its row; undefined: not one of ours. */
export function orderTag(parameters: { failureRate?: number } | null): string | undefined {
  const rate = parameters?.failureRate
  return rate === undefined ? undefined : `order-${Math.round((rate % 0.5) / TAG_STEP)}`
}

function wishOrder(index: number, random: Random): Wish {
  const named = index * TAG_STEP
  const costly = mayCostDisk(index, random)
  const kind = random.between(1, 100)
  const sleeper = (durationMs: number, rate = 0) => ({
    product: 'sleeper',
    plan: 'simulated',
    parameters: { durationMs, failureRate: rate + named }
  })
  const body = costly
    ? { product: 'postgres', plan: 'small', parameters: { failureRate: named } }
    : kind <= 4
      ? { product: 'nothing', plan: 'none', parameters: { failureRate: named } }
      : kind <= 8
        ? { product: 'sleeper', plan: 'unknown', parameters: { failureRate: named } }
        : kind <= 18
          ? sleeper(random.between(10, 300), 0.5)
          : kind <= 24
            ? sleeper(random.between(1500, 4000))
            : sleeper(random.between(0, 200))
  return { tag: `order-${index}`, action: 'order', path: '/orders', body }
}

const COLD: readonly NoteBehaviour[] = ['ok', 'ok', 'ok', 'ok', 'ok', 'flaky', 'busy', 'aside', 'refuse', 'hold']
const HOT: readonly NoteBehaviour[] = [
  ...Array<NoteBehaviour>(40).fill('ok'),
  'slow',
  'flaky',
  'busy',
  'refuse',
  'aside'
]

/** What the old version of deploy knows, what only the new one does, and in a hundred two that cannot be sent. */
const noteForm = (random: Random): NoteForm => {
  const kind = random.between(1, 100)
  if (kind === 1) return 'lost'
  if (kind === 2) return 'forbidden'
  if (kind <= 7) return 'pin'
  return kind <= 15 ? 'newer' : kind <= 23 ? 'amended' : 'written'
}

/** Topics that have keys of their own. */
const APART: ReadonlySet<NoteForm> = new Set(['pin', 'lost', 'forbidden'])

/** Half of the notes have one of three hot keys, half one of many cold ones. */
function wishNote(index: number, random: Random): Wish {
  const hot = random.next() < 0.5
  const form = noteForm(random)
  const plain = hot ? `hot-${random.between(1, 3)}` : `cold-${random.between(1, 60)}`
  const key = APART.has(form) ? `${form}-${plain}` : plain
  const tag = `note-${index}`
  return { tag, action: 'note', path: '/notes', body: { tag, key, behaviour: random.pick(hot ? HOT : COLD), form } }
}

export interface RequestOptions {
  /** Addresses of the markets: each try goes to one of them. */
  urls: readonly string[]
  /** Requests per second. */
  rate: number
  random: Random
  journal: Journal
  /** No new requests from then on; what was begun is repeated until it is answered. */
  stop: AbortSignal
  /** No more repetitions either. */
  giveUp: AbortSignal
}

const REQUEST_MS = 4000
const RETRY_MS = 250
const LONGEST_RETRY_MS = 5000
/** So many clients there are: when all of them wait for an answer, nobody wishes anything. */
const CLIENTS = 200
/** One client in so many does not repeat a request whose outcome it does not know. */
const IMPATIENT = 20

async function ask({ random, urls, journal, giveUp }: RequestOptions, wish: Wish): Promise<number | 'unknown'> {
  const { tag, path, body } = wish
  try {
    const response = await fetch(random.pick(urls) + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': `key-of-${tag}` },
      body: JSON.stringify(body),
      signal: AbortSignal.any([giveUp, AbortSignal.timeout(REQUEST_MS)])
    })
    const { id } = (await response.json()) as { id?: string }
    journal.write({ kind: 'answer', tag, status: response.status, id: response.ok ? id : undefined })
    return response.status
  } catch {
    journal.write({ kind: 'answer', tag, status: 'unknown' })
    return 'unknown'
  }
}

const isDefinite = (status: number | 'unknown') =>
  status !== 'unknown' && status < 500 && ![408, 409, 425, 429].includes(status)

async function pursue(options: RequestOptions, wish: Wish, impatient: boolean): Promise<void> {
  options.journal.write({ kind: 'request', tag: wish.tag, action: wish.action, detail: wish.body })
  // Each waits longer from try to try: clients that do not are a fault of their own, of which no service recovers.
  for (let retryMs = RETRY_MS; !options.giveUp.aborted; retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS)) {
    if (isDefinite(await ask(options, wish)) || impatient) return
    await sleep(retryMs * (1 + Math.random()), undefined, { signal: options.giveUp }).catch(() => {})
  }
}

/** Clients who order and write notes at a steady rate, while any of them is free. */
export async function sendRequests(options: RequestOptions): Promise<void> {
  const { random, rate, stop } = options
  const running = new Set<Promise<void>>()
  let next = performance.now()
  for (let index = 1; !stop.aborted; index++) {
    const wish = random.next() < 0.5 ? wishOrder(index, random) : wishNote(index, random)
    const pursued = pursue(options, wish, random.between(1, IMPATIENT) === 1).finally(() => running.delete(pursued))
    running.add(pursued)
    while (running.size >= CLIENTS && !stop.aborted) await Promise.race(running)
    next = Math.max(next + 1000 / rate, performance.now() - 200)
    const wait = next - performance.now()
    if (wait > 1) await sleep(wait, undefined, { signal: stop }).catch(() => {})
  }
  await Promise.all(running)
}

const BURST_EVERY_MS = 20_000

/** Asks one market after the other to write many notes at once. */
export async function askForBursts({
  urls,
  random,
  stop
}: Pick<RequestOptions, 'urls' | 'random' | 'stop'>): Promise<void> {
  while (!stop.aborted) {
    await sleep(BURST_EVERY_MS * random.next(), undefined, { signal: stop }).catch(() => {})
    if (stop.aborted) return
    const signal = AbortSignal.any([stop, AbortSignal.timeout(REQUEST_MS)])
    await fetch(`${random.pick(urls)}/bursts`, { method: 'POST', signal }).catch(() => {})
  }
}
