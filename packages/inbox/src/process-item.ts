import { backoffMs, jitter, pause } from '@steadfast/events/runtime'
import { claimReplay, type DeliveryError, type Replay, setAside } from '@steadfast/store/internal'
import { isAboutRow } from './about-row.ts'
import { raise } from './alarm.ts'

import { attempt } from './attempt.ts'
import { aboutRow, channels } from './channels.ts'
import { asDeliveryError } from './classify.ts'
import { hold, refuse } from './conclude.ts'
import { TypeSlow } from './errors.ts'
import type { Pass } from './gate.ts'
import { refuseFresh } from './refuse-fresh.ts'
import type { Accepted, Attempt, Consumer, Item } from './types.ts'
import { refuseUnstorable, STORE_TRIES } from './unstorable.ts'
import { waitOf } from './waiting.ts'

/** Tries in a row without a database before the group pauses. */
const DOWN_TRIES = 4
/** So often a delivery may meet a world that is wrong for it alone, since others get through: then it is what is wrong. */
export const ALONE_TRIES = 5
/** Tries in a row in which the handler's transaction was in the way of others; then it counts as a failure. */
export const CONFLICT_TRIES = 10
/** The alarm of a replay whose handler failed. */
const REPLAY_FAILED = 'SF_INBOX_REPLAY_FAILED'

/** What a fresh delivery has behind it. */
interface Tries {
  failures: number
  /** Tries that do not count: in the way of each other, asked to wait, no database. */
  conflicts: number
  waits: number
  downs: number
  /** It closed a gate that others had opened. */
  alone: number
  /** What was to be noted of it could not be stored. */
  unstored: number
}

type Conclusion = Omit<Accepted, 'eventId'>
type Failure = Pick<Extract<Attempt, { kind: 'failure' }>, 'status' | 'error' | 'replay'>

/** Runs a fresh delivery until it is handled, refused or set aside. While it runs, its topic and key wait. */
export async function processItem(consumer: Consumer, item: Item): Promise<Accepted> {
  const { eventId, type } = item.row
  const tries: Tries = { failures: 0, conflicts: 0, waits: 0, downs: 0, alone: 0, unstored: 0 }
  if (channels.delivery.hasSubscribers) channels.delivery.publish(aboutRow(item.row))
  while (!consumer.closing.aborted) {
    const pass = await consumer.gate.enter()
    if (pass === undefined) break
    try {
      const unrun = consumer.slowTypes.mayRun(type) ? undefined : await putOffUnrun(consumer, item, pass)
      const accepted = unrun ?? (await conclude(consumer, item, await attempt(consumer, item), tries, pass))
      if (accepted !== undefined) return { eventId, ...accepted }
    } catch (error) {
      if (consumer.closing.aborted) break
      const accepted = await notStored(consumer, item, error, tries, pass)
      if (accepted !== undefined) return { eventId, ...accepted }
    }
  }
  return { outcome: 'abandoned', eventId }
}

/** Does what the outcome table says. `undefined`: run it again. */
async function conclude(
  consumer: Consumer,
  item: Item,
  result: Attempt,
  tries: Tries,
  pass: Pass
): Promise<Conclusion | undefined> {
  const { type } = item.row
  switch (result.kind) {
    case 'done':
      if (result.how === 'handled') consumer.slowTypes.succeeded(type)
      pass.good()
      if (result.how === 'lost') return undefined
      return { outcome: result.how, status: result.status }
    case 'verdict': {
      if (result.replay) return await failReplay(consumer, item, result.replay, result.error, pass)
      const { status, error, alarm } = result
      consumer.slowTypes.succeeded(type)
      // A duplicate was known before, or finished by somebody else meanwhile: to run it again would find that out only in
      // its handler.
      const stored = await refuseFresh(consumer, item, { status, error, alarm })
      pass.good()
      return stored ? { outcome: 'refused', status, error } : { outcome: 'duplicate', status, error }
    }
    case 'wait': {
      const wait = waitOf(consumer, type, result, tries.waits++)
      if (wait.in === 'inbox') return await putOff(consumer, item, result, { attempts: 0, dueInMs: wait.ms }, pass)
      pass.good()
      await pause(wait.ms, consumer.closing)
      return undefined
    }
    case 'again':
      // Who is in the way of the inbox's own statement has this event: its transaction ends by its own limits.
      if (result.reached && ++tries.conflicts > CONFLICT_TRIES) return await fail(consumer, item, result, tries, pass)
      pass.good()
      await pause(backoffMs(tries.conflicts, { firstMs: 10, lastMs: 1_000 }), consumer.closing)
      return undefined
    case 'world':
      return await meetWorld(consumer, item, result, tries, pass)
    case 'failure': {
      const isLast = tries.failures >= item.handler.options.retry.quickRetries
      // A handler that takes too long holds its place for long: it is not waited for how often it does.
      if (result.status === 504) consumer.slowTypes.failed(type, item.row, result.error)
      if (isLast || consumer.slowTypes.isSlow(type)) return await fail(consumer, item, result, tries, pass)
      pass.good()
      await pause(
        backoffMs(tries.failures++, { firstMs: item.handler.options.retry.quickRetryDelayMs, lastMs: 60_000 }),
        consumer.closing
      )
      return undefined
    }
    case 'abandoned':
      pass.neutral()
      return { outcome: 'abandoned' }
  }
}

async function meetWorld(
  consumer: Consumer,
  item: Item,
  { sure, error }: Extract<Attempt, { kind: 'world' }>,
  tries: Tries,
  pass: Pass
): Promise<Conclusion | undefined> {
  const isOpen = consumer.gate.isOpen()
  if (!sure && ++tries.downs < DOWN_TRIES && isOpen) {
    pass.neutral()
    await pause(backoffMs(tries.downs, { firstMs: 20, lastMs: 500 }), consumer.closing)
    return undefined
  }
  if (isOpen && ++tries.alone > ALONE_TRIES)
    return await fail(consumer, item, { status: error.status ?? 500, error }, tries, pass)
  pass.bad(error)
  return undefined
}

/** A failure that counts: the delivery is set aside, or given up if there is nothing more to be tried. */
async function fail(
  consumer: Consumer,
  item: Item,
  failure: Failure,
  tries: Tries,
  pass: Pass
): Promise<Conclusion | undefined> {
  const { status, error, replay } = failure
  const { retry, onExhausted } = item.handler.options
  const { type } = item.row
  if (replay) return await failReplay(consumer, item, replay, error, pass)
  consumer.slowTypes.failed(type, item.row, error)
  tries.failures = 0
  const [first] = retry.delaysMs
  if (first === undefined && onExhausted === 'refuse') {
    const stored = await refuse(consumer, item, { status, error })
    pass.good()
    return stored ? { outcome: 'refused', status, error } : undefined
  }
  const conclusion = await putOff(consumer, item, failure, { attempts: 1, dueInMs: jitter(first ?? 0) }, pass)
  if (conclusion !== undefined && first === undefined) await hold(consumer, item.row, { attempts: 1, status, error })
  return conclusion
}

/** Sets a delivery aside, so that what stands behind it is blocked in the inbox and holds no places of others. */
async function putOff(
  consumer: Consumer,
  item: Item,
  { status, error, replay }: Failure,
  { attempts, dueInMs }: { attempts: number; dueInMs: number },
  pass: Pass
): Promise<Conclusion | undefined> {
  if (replay) return await failReplay(consumer, item, replay, error, pass)
  const { row, raw } = item
  const stored = await setAside(consumer.db, row, { state: 'RETRY', body: raw, attempts, dueInMs, error })
  pass.good()
  // Somebody else has it meanwhile: the next run finds out what became of it.
  if (!stored) return undefined
  consumer.log.warn({ eventId: row.eventId, type: row.type, attempts, err: error }, 'set aside, to be retried')
  if (channels.setAside.hasSubscribers) channels.setAside.publish({ ...aboutRow(row), error })
  return { outcome: 'set-aside', status, error }
}

/** Of a type that is slow: set aside without a run, uncounted. `undefined`: it is known already, and its run will tell. */
async function putOffUnrun(consumer: Consumer, item: Item, pass: Pass): Promise<Conclusion | undefined> {
  const { row, raw } = item
  const reason = consumer.slowTypes.reasons().find(({ type }) => type === row.type)?.reason ?? ''
  const error = asDeliveryError(new TypeSlow(row.type, reason), 503)
  delete error.stack
  if (!(await setAside(consumer.db, row, { state: 'RETRY', body: raw, attempts: 0, dueInMs: 0, error })))
    return undefined
  pass.good()
  if (channels.setAside.hasSubscribers) channels.setAside.publish({ ...aboutRow(row), error })
  return { outcome: 'set-aside', status: 503, error }
}

/** Bookkeeping failed, which is no fault of the event unless the database says so: it stays undone and runs again. */
async function notStored(
  consumer: Consumer,
  item: Item,
  error: unknown,
  tries: Tries,
  pass: Pass
): Promise<Conclusion | undefined> {
  if (!isAboutRow(error)) {
    pass.bad(error)
    return undefined
  }
  if (++tries.unstored < STORE_TRIES) {
    pass.neutral()
    await pause(backoffMs(tries.unstored, { firstMs: 10, lastMs: 1_000 }), consumer.closing)
    return undefined
  }
  try {
    const stored = await refuseUnstorable(consumer, item, error)
    pass.good()
    return { outcome: stored ? 'refused' : 'duplicate', status: 422, error: asDeliveryError(error, 422) }
  } catch (err) {
    consumer.log.error({ err, eventId: item.row.eventId }, 'a delivery can be stored in no way')
    pass.neutral()
    await pause(backoffMs(tries.unstored, { firstMs: 100, lastMs: 30_000 }), consumer.closing)
    return undefined
  }
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
  raise(consumer, REPLAY_FAILED, row, `replay ${replay.id}: ${error.message}`)
  pass.good()
  return { outcome: 'skipped', error }
}
