import { type Delivery, isUuid, placeIdOf } from '@steadfast/events'
import { backoffMs, pause } from '@steadfast/events/runtime'
import { isReadAgain, type NewDelivery } from '@steadfast/store/internal'
import { isAboutRow } from './about-row.ts'
import { apply, atPlace, putAside, refuseFresh, refuseUnstorable } from './apply.ts'
import { disbelief, forgery, replyTopicOf } from './believe.ts'
import { aboutRow, channels } from './channels.ts'
import { isUnanswered } from './context.ts'
import { type Conditions, decide, FRESH, type History } from './decide.ts'
import { type Decoded, decodeData, decodeDelivery } from './decode-delivery.ts'
import { ALARMS, asDeliveryError, DISBELIEVED } from './delivery-error.ts'
import { TypeSlow, Undecodable } from './errors.ts'
import { runOnce } from './run.ts'
import { applySignal, signalContract } from './signals.ts'
import type { Accepted, Consumer, Fresh, Item, Run } from './types.ts'
import { handlerFor, isIgnored, leaveFresh } from './unknown.ts'
import { STORE_TRIES, untilItWorks } from './until-it-works.ts'

/** Takes a delivery from the transport to its end. Never rejects; a delivery it could not finish is not done. */
export async function consume(consumer: Consumer, delivery: Delivery): Promise<Accepted> {
  let eventId = ''
  try {
    const decoded = decodeDelivery(consumer.name, delivery)
    eventId = decoded.row.eventId
    const accepted = await route(consumer, delivery, decoded)
    if (accepted.outcome !== 'abandoned') {
      const { row } = decoded
      if (channels.deliveryDone.hasSubscribers)
        channels.deliveryDone.publish({ ...aboutRow(row), outcome: accepted.outcome })
      delivery.done()
    }
    return accepted
  } catch (err) {
    if (!consumer.closing.aborted) consumer.log.error({ err, eventId }, 'delivery not done: it comes again')
    return { outcome: 'abandoned', eventId, error: asDeliveryError(err) }
  }
}

async function route(consumer: Consumer, delivery: Delivery, { row, raw, refusal }: Decoded): Promise<Accepted> {
  const fresh: Fresh = { row, raw, placeId: () => placeIdOf(delivery) }
  if (isTombstone(delivery) && consumer.registry.ignores(row.topic, TOMBSTONE))
    return { outcome: 'ignored', eventId: row.eventId }
  if (refusal !== undefined) return await refuseRaw(consumer, fresh, refusal)
  if (passesBy(consumer, row)) return { outcome: 'ignored', eventId: row.eventId }
  const forged = forgery(consumer, delivery)
  if (forged !== undefined) return await refuseRaw(consumer, fresh, forged)
  if (signalContract(row.type) !== undefined) return await takeSignal(consumer, fresh)
  row.replyTo = replyTopicOf(consumer, row)
  const handler = handlerFor(consumer, row)
  if (handler instanceof Error) return await leaveFresh(consumer, fresh, handler)
  const doubt = disbelief(handler.contract, row)
  if (doubt !== undefined) return await refuseRaw(consumer, fresh, doubt)
  let data: unknown
  try {
    data = decodeData(consumer.parseJson, raw, consumer.options.bigIntegers)
  } catch (error) {
    return await refuseRaw(consumer, fresh, error as Error)
  }
  const item: Item = { ...fresh, data, deliveredAt: delivery.timestamp, handler }
  return await consumer.chains.run(row, () => runToEnd(consumer, item))
}

/**
 * Runs a delivery, fresh or out of the inbox again, until what became of it is stored. While it runs, its topic and key
 * wait. `abandoned`: the group is paused, left, or closes.
 */
export async function runToEnd(consumer: Consumer, item: Item): Promise<Accepted> {
  const { eventId, type } = item.row
  const { breaker, slowTypes, closing } = consumer
  let history: History = item.stored === undefined ? FRESH : { ...FRESH, stored: item.stored, alone: item.stored.alone }
  let failedToStore = 0
  if (item.stored === undefined && channels.delivery.hasSubscribers) channels.delivery.publish(aboutRow(item.row))
  while (!closing.aborted) {
    // A stored one keeps nothing waiting, and need not wait for the breaker itself.
    if (item.stored !== undefined && !breaker.mayEnter()) break
    const pass = await breaker.enter()
    if (pass === undefined) break
    let pauseMs = 0
    try {
      if (item.stored === undefined && !slowTypes.mayRun(type) && (await putAsideUnrun(consumer, item))) {
        pass.good()
        return { eventId, outcome: 'set-aside', status: 503 }
      }
      if (item.stored === undefined && (await isNothingNew(consumer, item))) {
        pass.good()
        return { eventId, outcome: 'skipped' }
      }
      const run = await runOnce(consumer, item)
      tellOfRun(consumer, item, run)
      const decision = decide(run, history, conditionsOf(consumer, item), item.handler.options)
      history = decision.history
      const outcome = await apply(consumer, item, decision)
      if (decision.type === 'works') slowTypes.succeeded(type)
      if (decision.type === 'fails') slowTypes.failed(type, item.row, 'error' in decision ? decision.error : undefined)
      if (decision.breaker.says === 'bad') pass.bad(decision.breaker.error)
      else pass[decision.breaker.says]()
      if (item.stored !== undefined) item.stored.alone = history.alone
      if (outcome !== undefined) return { eventId, ...outcome }
      if (decision.deed === 'run-again') pauseMs = decision.afterMs
    } catch (error) {
      if (closing.aborted) break
      if (!isAboutRow(error)) {
        pass.bad(error)
        continue
      }
      const outcome = ++failedToStore < STORE_TRIES ? undefined : await storeWithoutBody(consumer, item, error)
      if (outcome !== undefined) {
        pass.good()
        return { eventId, ...outcome }
      }
      pass.neutral()
      pauseMs = backoffMs(failedToStore, { firstMs: failedToStore < STORE_TRIES ? 10 : 100, lastMs: 30_000 })
    }
    if (pauseMs > 0) await pause(pauseMs, closing)
  }
  return { outcome: 'abandoned', eventId }
}

const conditionsOf = ({ breaker, slowTypes }: Consumer, { row }: Item): Conditions => ({
  othersGetThrough: breaker.isClosed(),
  isSlow: slowTypes.isSlow(row.type),
  isUnanswered: isUnanswered(row)
})

/** While the log is read again, most is known by its place in it: one look is a tenth of a run. */
async function isNothingNew(consumer: Consumer, { row }: Item): Promise<boolean> {
  const { isRereading, host, db, replays } = consumer
  if (!isRereading || !host.transport.capabilities.rewind) return false
  return await isReadAgain(db, row, replays.current?.id)
}

/** What counts for other deliveries, whatever becomes of this one. */
function tellOfRun(consumer: Consumer, { row }: Item, run: Run): void {
  const { slowTypes, longWaits, log } = consumer
  if (run.kind === 'done') consumer.isRereading = run.how === 'skipped'
  // A handler that takes too long holds its place for long: it is not waited for how often it does.
  if (run.kind === 'failure' && run.status === 504) slowTypes.failed(row.type, row, run.error)
  if (run.kind !== 'wait' || run.cut === undefined || longWaits.has(row.type)) return
  longWaits.add(row.type)
  log.warn(
    { type: row.type, retryAfter: run.cut },
    'a handler asks to wait for more than an hour: it waits for an hour'
  )
}

/** Of a type that is slow: set aside without a run, uncounted. False: it is known already, and its run will tell. */
async function putAsideUnrun(consumer: Consumer, item: Item): Promise<boolean> {
  const { type } = item.row
  const reason = consumer.slowTypes.reasons().find(slow => slow.type === type)?.reason ?? ''
  const { stack: _, ...error } = asDeliveryError(new TypeSlow(type, reason), 503)
  return await putAside(consumer, item, { attempts: 0, dueInMs: 0, error })
}

/** PostgreSQL takes the row in no way. `undefined`: not even without its body. */
async function storeWithoutBody(
  consumer: Consumer,
  item: Item,
  error: unknown
): Promise<Omit<Accepted, 'eventId'> | undefined> {
  try {
    const stored = await refuseUnstorable(consumer, item, error)
    return { outcome: stored ? 'refused' : 'duplicate', status: 422, error: asDeliveryError(error, 422) }
  } catch (err) {
    consumer.log.error({ err, eventId: item.row.eventId }, 'a delivery can be stored in no way')
    return undefined
  }
}

/** What `ignoreEvents` calls a message that says of a compacted topic's key that there is nothing any more. */
const TOMBSTONE = 'steadfast.tombstone'
const isTombstone = ({ raw, headers, hasNoValue = true }: Delivery) =>
  hasNoValue && raw.length === 0 && headers.ce_specversion === undefined

/** Signals of other groups, or on other topics than one's own, speak to somebody else; other types may be ignored. */
function passesBy(consumer: Consumer, row: NewDelivery): boolean {
  if (signalContract(row.type) !== undefined) return !consumer.isOwn || row.topic !== consumer.host.outbox.replyTo
  return isIgnored(consumer, row)
}

async function refuseRaw(
  consumer: Consumer,
  fresh: Fresh,
  error: Error & { statusCode?: number; code?: string }
): Promise<Accepted> {
  const status = error.statusCode ?? 400
  const reason = asDeliveryError(error, status)
  const alarm = ALARMS.has(error.code ?? '') ? error.code : undefined
  const own = DISBELIEVED.has(error.code ?? '') ? atPlace(fresh) : fresh
  const stored = await untilItWorks(
    consumer,
    () => refuseFresh(consumer, own, { status, error: reason, alarm }),
    error => refuseUnstorable(consumer, own, error)
  )
  return { outcome: stored ? 'refused' : 'duplicate', eventId: own.row.eventId, status, error: reason }
}

async function takeSignal(consumer: Consumer, fresh: Fresh): Promise<Accepted> {
  const { row, raw } = fresh
  const contract = signalContract(row.type)
  let data: unknown
  try {
    data = decodeData(consumer.parseJson, raw)
  } catch (error) {
    return await refuseRaw(consumer, fresh, error as Error)
  }
  const refusal =
    contract?.refusal(data) ?? (isUuid((data as { eventId: string }).eventId) ? undefined : 'eventId is no UUID')
  if (refusal !== undefined) return await refuseRaw(consumer, fresh, new Undecodable(refusal))
  const outcome = await untilItWorks<'signal' | 'refused'>(
    consumer,
    async () => {
      await applySignal(consumer, row, data)
      return 'signal'
    },
    async error => {
      await refuseUnstorable(consumer, fresh, error)
      return 'refused'
    }
  )
  return { outcome, eventId: row.eventId }
}
