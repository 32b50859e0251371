import { createHash } from 'node:crypto'
import {
  claimReplay,
  findKnown,
  holdDelivery,
  type NewDelivery,
  type ParkedMessage,
  refuseDelivery,
  retryLater,
  setAside,
  storeOn,
  tellParked
} from '@steadfast/store/internal'
import { raise } from './alarm.ts'
import { parkAnswered, signalsTo } from './answers.ts'
import { clip } from './believe.ts'
import { aboutRow, channels } from './channels.ts'
import { isUnanswered } from './context.ts'
import type { Decision } from './decide.ts'
import { asDeliveryError, DISBELIEVED, storable } from './delivery-error.ts'
import { answerKnown } from './duplicate.ts'
import { IdReused, RerunFailed, Unstorable } from './errors.ts'
import { refusedSignal } from './signals.ts'
import type { Accepted, Consumer, Fresh, Item, Verdict } from './types.ts'

type Outcome = Omit<Accepted, 'eventId'>

/**
 * Turns a decision into statements and signals. `undefined`: the delivery is to run again, since it was decided so, or
 * since another process has it meanwhile and its next run finds out what became of it.
 */
export async function apply(consumer: Consumer, item: Item, decision: Decision): Promise<Outcome | undefined> {
  const { row } = item
  switch (decision.deed) {
    case 'end':
      return { outcome: decision.how === 'lost' ? 'skipped' : decision.how, status: decision.status }
    case 'run-again':
      return undefined
    case 'leave':
      return { outcome: 'abandoned' }
    case 'refuse': {
      const { status, error } = decision
      const isNew = item.stored === undefined ? refuseFresh(consumer, item, decision) : refuse(consumer, item, decision)
      return { outcome: (await isNew) ? 'refused' : 'duplicate', status, error }
    }
    case 'set-aside': {
      const { status, error } = decision
      if (!(await putAside(consumer, item, decision))) return undefined
      if (item.stored === undefined)
        consumer.log.warn(
          { eventId: row.eventId, type: row.type, attempts: decision.attempts, err: error },
          'delivery set aside, to be retried'
        )
      return { outcome: 'set-aside', status, error }
    }
    case 'hold': {
      const { attempts, status, error } = decision
      // A fresh one has no row yet.
      if (item.stored === undefined && !(await putAside(consumer, item, { attempts, dueInMs: 0, error })))
        return undefined
      await hold(consumer, row, { attempts, status, error })
      return { outcome: 'set-aside', status, error }
    }
    case 'fail-rerun': {
      // The effect of the first run stands, and a person hears of it.
      const { replay, error } = decision
      await claimReplay(consumer.db, { replayId: replay.id, consumer: row.consumer, eventId: row.eventId, error })
      const { code, message } = new RerunFailed(replay.id, error.message)
      raise(consumer, code, row, message)
      return { outcome: 'skipped', error }
    }
  }
}

/**
 * Sets a delivery aside, so that what stands behind it is blocked in the inbox and holds no places of others.
 *
 * @returns false when another process has it meanwhile
 */
export async function putAside(
  consumer: Consumer,
  { row, raw, stored }: Item,
  { attempts, dueInMs, error }: Pick<Extract<Decision, { deed: 'set-aside' }>, 'attempts' | 'dueInMs' | 'error'>
): Promise<boolean> {
  const { consumer: name, eventId } = row
  if (stored !== undefined) {
    await retryLater(consumer.db, { consumer: name, eventId, attempts, dueInMs, error })
    return true
  }
  if (!(await setAside(consumer.db, row, { state: 'RETRY', body: raw, attempts, dueInMs, error }))) return false
  if (channels.setAside.hasSubscribers) channels.setAside.publish({ ...aboutRow(row), error })
  return true
}

/**
 * Stores a verdict in a transaction of its own, and in the same one tells the asker, and parks the request that a
 * refused answer belongs to. What tells this service of its own unanswered request is held instead: nobody else would
 * hear of the refusal.
 *
 * @returns false when the delivery is finished already, or another event has its id
 */
export async function refuse(
  consumer: Consumer,
  { row, raw }: { row: NewDelivery; raw: Buffer },
  { status, error, alarm, expired = false }: Verdict
): Promise<boolean> {
  if (isUnanswered(row)) return await hold(consumer, row, { status, error })
  const { host, schema } = consumer
  let parked: ParkedMessage | undefined
  const stored = await host.outbox.transaction(async tx => {
    if (!(await refuseDelivery(storeOn(tx, schema), row, { body: raw, outcome: status, error, expired }))) return false
    if (DISBELIEVED.has(error.code ?? '')) return true
    const signal = signalsTo(consumer, row) ? refusedSignal(row, host.outbox.source, status, error) : undefined
    if (signal !== undefined) await host.outbox.control(tx).write(signal)
    parked = await parkAnswered(consumer, storeOn(tx, consumer.schema), row, 'ANSWER_REFUSED', error)
    return true
  })
  if (!stored) return false
  if (parked !== undefined) tellParked(consumer.log, parked)
  if (channels.refused.hasSubscribers) channels.refused.publish({ ...aboutRow(row), status, error })
  if (alarm !== undefined) raise(consumer, alarm, row, error.message)
  else {
    const { write, omitted } = consumer.refusalLines(row.source)
    const about = {
      eventId: row.eventId,
      type: clip(row.type),
      status,
      code: error.code,
      ...(omitted > 0 && { omitted })
    }
    if (write) consumer.log.warn(about, `refused: ${error.message}`)
  }
  return true
}

/**
 * Gives a delivery up to a person; its request, if it is an answer, is parked with a link to it. `attempts`: of its
 * handler, if it was run.
 *
 * @returns false when the delivery is finished already
 */
export async function hold(
  consumer: Consumer,
  row: NewDelivery,
  { status, error, attempts }: Verdict & { attempts?: number }
): Promise<boolean> {
  const { eventId } = row
  let parked: ParkedMessage | undefined
  const stored = await consumer.host.outbox.transaction(async tx => {
    const held = { consumer: consumer.name, eventId, attempts, outcome: status, error }
    if (!(await holdDelivery(storeOn(tx, consumer.schema), held))) return false
    parked = await parkAnswered(consumer, storeOn(tx, consumer.schema), row, 'ANSWER_HELD', error)
    return true
  })
  if (!stored) return false
  if (parked !== undefined) tellParked(consumer.log, parked)
  if (channels.held.hasSubscribers) channels.held.publish({ ...aboutRow(row), attempts, error })
  consumer.log.error({ eventId, type: row.type, key: row.key, attempts, err: error }, 'held: waits for a person')
  return true
}

/** A delivery under the id of its place in the log. Nobody is told of it, and it answers nothing. */
export const atPlace = <F extends Fresh>(fresh: F): F => ({
  ...fresh,
  row: { ...fresh.row, eventId: fresh.placeId(), replyTo: null, causationId: null }
})

/**
 * Stores the verdict on a fresh delivery under the id that is its own: another event's row is neither changed nor
 * answered. What is not believed, or is no event, has the id of its place in the log. A duplicate is answered.
 *
 * @returns false when the delivery is a duplicate
 */
export async function refuseFresh(consumer: Consumer, fresh: Fresh, verdict: Verdict): Promise<boolean> {
  if (DISBELIEVED.has(verdict.error.code ?? '')) return await refuse(consumer, atPlace(fresh), verdict)
  return (await storeFresh(consumer, fresh, () => refuse(consumer, fresh, verdict))) !== 'duplicate'
}

/**
 * Stores a fresh delivery under the id that is its own, which `fresh` has then. A duplicate is answered, and what its
 * source has used the id for already is refused.
 *
 * @param store writes the row; false when there is one under the id
 * @returns `refused`: its source has used the id for something else
 */
export async function storeFresh(
  consumer: Consumer,
  fresh: Fresh,
  store: () => Promise<boolean>
): Promise<'stored' | 'refused' | 'duplicate'> {
  for (;;) {
    if (await store()) return 'stored'
    const found = await findKnown(consumer.db, fresh.row)
    if (found.fit === 'reused') return (await refuseFresh(consumer, fresh, reused(fresh.row))) ? 'refused' : 'duplicate'
    if (found.fit === 'other') fresh.row = { ...fresh.row, eventId: found.eventId }
    if (found.fit !== 'same') continue
    await answerKnown(consumer, { ...fresh.row, eventId: found.known.eventId })
    return 'duplicate'
  }
}

function reused({ eventId, source, type }: NewDelivery): Verdict {
  const error = new IdReused(eventId, clip(source), clip(type))
  const status = error.statusCode ?? 409
  return { status, error: asDeliveryError(error, status), alarm: error.code }
}

/** Longer texts of a row that could not be stored are cut. Not those by which an event is known. */
const MOST = 1024

/**
 * Refuses a delivery that PostgreSQL cannot store as it came: with a hash and the size in place of its body, and with
 * texts and headers that can be stored.
 *
 * @returns false when the delivery is finished already
 */
export async function refuseUnstorable(consumer: Consumer, fresh: Fresh, error: unknown): Promise<boolean> {
  const reason = asDeliveryError(new Unstorable(String((error as Error | undefined)?.message ?? error)), 422)
  const { row, raw } = fresh
  const sha256 = createHash('sha256').update(raw).digest('hex')
  const body = Buffer.from(JSON.stringify({ sha256, bytes: raw.length }))
  return await refuseFresh(consumer, { ...fresh, row: bareRow(row), raw: body }, { status: 422, error: reason })
}

const cut = (text: string) => storable(text).slice(0, MOST)
const cutOrNull = (text: string | null) => (text === null ? null : cut(text))

function bareRow(row: NewDelivery): NewDelivery {
  const { envelope, source, type } = row
  return {
    ...row,
    key: cut(row.key),
    topic: cut(row.topic),
    position: cut(row.position),
    source: cut(source),
    type: cut(type),
    replyTo: cutOrNull(row.replyTo),
    correlationId: cutOrNull(row.correlationId),
    envelope: { id: envelope.id, source: cut(source), type: cut(type), attempt: 1, replay: false, headers: {} }
  }
}
