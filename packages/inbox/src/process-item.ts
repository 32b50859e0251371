import { setTimeout as sleep } from 'node:timers/promises'
import { claimReplay, type DeliveryError, type Replay, setAside } from '@steadfast/store'
import type { Accepted } from './accept-delivery.ts'
import { attempt } from './attempt.ts'
import { aboutRow, channels } from './channels.ts'
import type { Attempt } from './classify.ts'
import { hold, raise, refuse } from './conclude.ts'
import type { Consumer } from './consumer.ts'
import type { Item } from './context.ts'
import { answerKnown } from './duplicate.ts'
import type { Pass } from './gate.ts'

/** Tries in a row without a database before the group pauses. */
const DOWN_TRIES = 4
const WAIT_MAX_MS = 30_000
/** The alarm of a replay whose handler failed. */
const REPLAY_FAILED = 'SF_INBOX_REPLAY_FAILED'

/** What a fresh delivery has behind it. */
interface Tries {
  failures: number
  /** Tries that do not count: in the way of each other, asked to wait, no database. */
  conflicts: number
  waits: number
  downs: number
}

/** Runs a fresh delivery until it is handled, refused or set aside. While it runs, its key waits. */
export async function processItem(consumer: Consumer, item: Item): Promise<Accepted> {
  const { eventId } = item.row
  const tries: Tries = { failures: 0, conflicts: 0, waits: 0, downs: 0 }
  if (channels.delivery.hasSubscribers) channels.delivery.publish(aboutRow(item.row))
  while (!consumer.closing.aborted) {
    const pass = await consumer.gate.enter()
    const result = await attempt(consumer, item)
    try {
      const accepted = await conclude(consumer, item, result, tries, pass)
      if (accepted !== undefined) return { eventId, ...accepted }
    } catch (error) {
      // Bookkeeping that fails is no fault of the event: it stays undone and runs again.
      if (consumer.closing.aborted) break
      pass.bad(error)
    }
  }
  return { outcome: 'abandoned', eventId }
}

type Conclusion = Omit<Accepted, 'eventId'>

/** Does what the outcome table says. `undefined`: run it again. */
async function conclude(
  consumer: Consumer,
  item: Item,
  result: Attempt,
  tries: Tries,
  pass: Pass
): Promise<Conclusion | undefined> {
  switch (result.kind) {
    case 'done':
      pass.good()
      if (result.how === 'lost') return undefined
      return { outcome: result.how, status: result.status }
    case 'verdict': {
      if (result.replay) return await failReplay(consumer, item, result.replay, result.error, pass)
      const { status, error, alarm } = result
      const stored = await refuse(consumer, item, status, error, alarm)
      // Known before, or finished by somebody else meanwhile. To run it again would find that out only in its handler.
      if (!stored) await answerKnown(consumer, item.row)
      pass.good()
      return stored ? { outcome: 'refused', status, error } : { outcome: 'duplicate', status, error }
    }
    case 'wait':
      pass.neutral()
      await pause(consumer, result.ms ?? Math.min(WAIT_MAX_MS, 1_000 * 2 ** tries.waits++))
      return undefined
    case 'again':
      pass.neutral()
      await pause(consumer, backoff(10, tries.conflicts++, 1_000))
      return undefined
    case 'world':
      if (result.sure || ++tries.downs >= DOWN_TRIES || !consumer.gate.isOpen()) pass.bad(result.error)
      else {
        pass.neutral()
        await pause(consumer, backoff(20, tries.downs, 500))
      }
      return undefined
    case 'failure':
      return await fail(consumer, item, result, tries, pass)
    case 'abandoned':
      pass.neutral()
      return { outcome: 'abandoned' }
  }
}

async function fail(
  consumer: Consumer,
  item: Item,
  { status, error, replay }: { status: number; error: DeliveryError; replay?: Replay | undefined },
  tries: Tries,
  pass: Pass
): Promise<Conclusion | undefined> {
  const { retry, onExhausted } = item.handler.options
  if (tries.failures < retry.quickRetries) {
    pass.neutral()
    await pause(consumer, backoff(retry.quickRetryDelayMs, tries.failures++, 60_000))
    return undefined
  }
  if (replay) return await failReplay(consumer, item, replay, error, pass)
  if (consumer.gate.failing(item.row.key, error)) {
    pass.bad(error)
    return undefined
  }
  const [first] = retry.delaysMs
  if (first === undefined && onExhausted === 'refuse') {
    const stored = await refuse(consumer, item, status, error)
    pass.neutral()
    return stored ? { outcome: 'refused', status, error } : undefined
  }
  const { eventId } = item.row
  const aside = { state: 'RETRY', body: item.raw, attempts: 1, dueInMs: jitter(first ?? 0), error } as const
  const stored = await setAside(consumer.db, item.row, aside)
  pass.neutral()
  if (!stored) return undefined
  if (first === undefined) await hold(consumer, item.row, 1, status, error)
  consumer.log.warn({ eventId, type: item.row.type, err: error }, 'set aside, to be retried')
  if (channels.setAside.hasSubscribers) channels.setAside.publish({ ...aboutRow(item.row), error })
  return { outcome: 'set-aside', status, error }
}

/** A rerun that fails changes nothing: the effect of the first run stands, and a person hears of it. */
async function failReplay(
  consumer: Consumer,
  { row }: Item,
  replay: Replay,
  error: DeliveryError,
  pass: Pass
): Promise<Conclusion> {
  const { consumer: name, eventId } = row
  await claimReplay(consumer.db, { replayId: replay.id, consumer: name, eventId, error })
  raise(consumer, REPLAY_FAILED, eventId, `replay ${replay.id}: ${error.message}`)
  pass.good()
  return { outcome: 'skipped', error }
}

/** Half to all of it, so that those who failed together do not come together again. */
export const jitter = (ms: number) => ms * (0.5 + Math.random() / 2)

const backoff = (firstMs: number, n: number, maxMs: number) => jitter(Math.min(maxMs, firstMs * 2 ** Math.min(n, 20)))

async function pause(consumer: Consumer, ms: number): Promise<void> {
  await sleep(ms, undefined, { signal: consumer.closing }).catch(() => {})
}
