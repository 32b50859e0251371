import { backoffMs, jitter, pause } from '@steadfast/events/runtime'
import { type DeliveryError, findRunnable, retryLater, type StoredDelivery } from '@steadfast/store/internal'
import { isAboutRow } from './about-row.ts'
import { attempt } from './attempt.ts'
import { disbelief } from './believe.ts'
import { ALARMS, asDeliveryError } from './classify.ts'
import { hold, refuse } from './conclude.ts'
import { isUnanswered } from './context.ts'
import { decodeData } from './decode-delivery.ts'
import type { Pass } from './gate.ts'
import { ALONE_TRIES, CONFLICT_TRIES } from './process-item.ts'
import type { Handler } from './registry.ts'
import type { Attempt, Consumer, Item } from './types.ts'
import { handlerFor, leaveStored } from './unknown.ts'
import { refuseUnstorable } from './unstorable.ts'
import { askedMs } from './waiting.ts'

const BATCH = 100
/** One that is asked to wait is asked again after so long, unless it said when. */
const WAIT_MS = 5_000

/** One look for what is due: it runs each delivery once, until none is left. */
interface Look {
  found: StoredDelivery[]
  /** Nothing but types that are slowed down was found, and nothing of others has ended since. */
  onlySlow: boolean
  tried: Set<string>
  running: Set<Promise<unknown>>
  /** How many have run. */
  ended: number
  /** How many of them came to an end. */
  finished: number
  /** One has ended while it was asked for more: what waited behind it may have been missed. */
  isStale: boolean
}

/**
 * Runs the deliveries that were set aside and may run now, as many at a time as there may be handlers, the next as soon as
 * one ends, until none is left. Looks may overlap: one that waits for a slow handler does not keep the next from what is
 * due meanwhile.
 *
 * @returns `begun`: as many run as may; `ended`: none is left, and how many came to an end
 */
export function retryDue(consumer: Consumer): { begun: Promise<void>; ended: Promise<number> } {
  const look: Look = {
    found: [],
    onlySlow: false,
    tried: new Set(),
    running: new Set(),
    ended: 0,
    finished: 0,
    isStale: false
  }
  const begun = fill(consumer, look)
  const goOn = async () => {
    await begun
    while (look.running.size > 0 || look.isStale) {
      if (look.running.size > 0) await Promise.race(look.running)
      await fill(consumer, look)
    }
    return look.finished
  }
  return { begun, ended: goOn() }
}

const hasPlace = ({ gate, closing, retrying, concurrency }: Consumer) =>
  gate.mayEnter() && !closing.aborted && retrying.size < concurrency

/** Begins as many as may run at a time. */
async function fill(consumer: Consumer, look: Look): Promise<void> {
  look.isStale = false
  while (hasPlace(consumer)) {
    const row = takeNext(consumer, look)
    if (row !== undefined) {
      begin(consumer, look, row)
      continue
    }
    const isShareTaken = isSlowShareTaken(consumer)
    if (isShareTaken && look.onlySlow) return
    const before = look.ended
    const found = await findDue(consumer, look)
    look.onlySlow = isShareTaken && found.length === 0
    if (found.length === 0) {
      look.isStale = look.ended !== before
      return
    }
    look.found.push(...found)
  }
}

/** The first of what was found that may begin now; of types that are slowed down the rest stays for when one has ended. */
function takeNext(consumer: Consumer, look: Look): StoredDelivery | undefined {
  const { retrying, slowTypes } = consumer
  look.found = look.found.filter(({ eventId }) => !retrying.has(eventId))
  const isShareTaken = isSlowShareTaken(consumer)
  const at = look.found.findIndex(({ type }) => !isShareTaken || !slowTypes.isSlow(type))
  return at === -1 ? undefined : look.found.splice(at, 1)[0]
}

/** Types that fail for many keys have half of the places together, so that they do not keep others from theirs. */
function isSlowShareTaken({ retrying, slowTypes, concurrency }: Consumer): boolean {
  const slow = [...retrying.values()].filter(type => slowTypes.isSlow(type))
  return slow.length >= Math.max(1, Math.floor(concurrency / 2))
}

async function findDue(consumer: Consumer, look: Look): Promise<StoredDelivery[]> {
  const { db, name, retrying, slowTypes, registry, options } = consumer
  const known = { ...registry.known(name), patienceMs: options.unknownPatienceMs }
  const exceptTypes = isSlowShareTaken(consumer) ? slowTypes.reasons().map(({ type }) => type) : []
  const except = [...look.tried, ...retrying.keys(), ...look.found.map(({ eventId }) => eventId)]
  return await findRunnable(db, name, { limit: BATCH, known, except, exceptTypes })
}

function begin(consumer: Consumer, look: Look, row: StoredDelivery): void {
  const { retrying, slowTypes } = consumer
  const { eventId, type } = row
  look.tried.add(eventId)
  retrying.set(eventId, type)
  const work = consumer.chains
    .run(row, () => retryOne(consumer, row))
    .then(ended => {
      if (ended) look.finished++
    })
    .catch(err => {
      if (!consumer.closing.aborted) consumer.log.error({ err, eventId }, 'retry not recorded')
    })
    .finally(() => {
      retrying.delete(eventId)
      if (!slowTypes.isSlow(type)) look.onlySlow = false
      look.ended++
      look.running.delete(work)
      consumer.running.delete(work)
    })
  look.running.add(work)
  consumer.running.add(work)
}

/** Runs one again. True when it is handled or refused. */
async function retryOne(consumer: Consumer, row: StoredDelivery): Promise<boolean> {
  const handler = handlerFor(consumer, row)
  if (handler instanceof Error) return await leaveStored(consumer, row, handler)
  const item = itemOf(consumer, row, handler)
  if (item instanceof Error) {
    const { statusCode: status = 400, code = '' } = item as { statusCode?: number; code?: string }
    const verdict = { status, error: asDeliveryError(item, status), alarm: ALARMS.has(code) ? code : undefined }
    return await refuse(consumer, { row, raw: row.body ?? Buffer.alloc(0) }, verdict)
  }
  if (!consumer.gate.mayEnter()) return false
  const pass = await consumer.gate.enter()
  if (pass === undefined) return false
  const result = await attemptWithPatience(consumer, item)
  try {
    if (result.kind === 'world') return await meetWorld(consumer, item, row, result.error, pass)
    consumer.alone.delete(row.eventId)
    const ended = await conclude(consumer, item, row, result)
    if (result.kind === 'abandoned') pass.neutral()
    else pass.good()
    return ended
  } catch (error) {
    if (!isAboutRow(error)) {
      pass.bad(error)
      throw error
    }
    pass.neutral()
    return await refuseUnstorable(consumer, item, error)
  }
}

/** As a fresh one: what meets a wrong world again and again, while others get through, is what is wrong. */
async function meetWorld(
  consumer: Consumer,
  item: Item,
  row: StoredDelivery,
  error: DeliveryError,
  pass: Pass
): Promise<boolean> {
  const { alone, gate } = consumer
  const times = (alone.get(row.eventId) ?? 0) + 1
  if (!gate.isOpen() || times <= ALONE_TRIES) {
    if (gate.isOpen()) alone.set(row.eventId, times)
    pass.bad(error)
    return false
  }
  alone.delete(row.eventId)
  const ended = await failAgain(consumer, item, row, { status: error.status ?? 500, error })
  pass.neutral()
  return ended
}

/** Transactions that are in the way of each other are not long. */
async function attemptWithPatience(consumer: Consumer, item: Item): Promise<Attempt> {
  for (let tries = 0; ; tries++) {
    const result = await attempt(consumer, item)
    if (result.kind !== 'again' || tries >= CONFLICT_TRIES || consumer.closing.aborted) return result
    await pause(backoffMs(tries, { firstMs: 10, lastMs: 1_000 }), consumer.closing)
  }
}

function itemOf(consumer: Consumer, row: StoredDelivery, handler: Handler): Item | Error {
  const doubt = disbelief(handler.contract, row)
  if (doubt !== undefined) return doubt
  const raw = row.body ?? Buffer.alloc(0)
  const placeId = () => row.eventId
  try {
    const data = decodeData(consumer.parseJson, raw, consumer.options.bigIntegers)
    return { row, raw, placeId, data, deliveredAt: row.receivedAt, handler, stored: { attempts: row.attempts } }
  } catch (error) {
    return error as Error
  }
}

async function conclude(consumer: Consumer, item: Item, row: StoredDelivery, result: Attempt): Promise<boolean> {
  const { slowTypes } = consumer
  switch (result.kind) {
    case 'done':
      if (result.how === 'handled') slowTypes.succeeded(row.type)
      return result.how === 'handled'
    case 'verdict':
      // Of a request of one's own: nobody else would hear of the refusal.
      if (isUnanswered(row)) return await failAgain(consumer, item, row, result)
      slowTypes.succeeded(row.type)
      return await refuse(consumer, item, result)
    case 'failure':
    case 'again':
      slowTypes.failed(row.type, row, result.error)
      return await failAgain(consumer, item, row, result)
    case 'wait':
      await later(consumer, row, row.attempts, askedMs(consumer, row.type, result) ?? WAIT_MS, result.error)
      return false
    default:
      return false
  }
}

async function failAgain(
  consumer: Consumer,
  item: Item,
  row: StoredDelivery,
  { status, error }: { status: number; error: DeliveryError }
): Promise<boolean> {
  const { retry, onExhausted } = item.handler.options
  const attempts = row.attempts + 1
  const delayMs = retry.delaysMs[attempts - 1]
  if (delayMs !== undefined) await later(consumer, row, attempts, jitter(delayMs), error)
  else if (onExhausted === 'refuse') return await refuse(consumer, item, { status, error })
  else await hold(consumer, row, { attempts, status, error })
  return false
}

async function later(consumer: Consumer, row: StoredDelivery, attempts: number, dueInMs: number, error: DeliveryError) {
  await retryLater(consumer.db, { consumer: row.consumer, eventId: row.eventId, attempts, dueInMs, error })
}
