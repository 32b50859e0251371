import { findRunnable, type StoredDelivery } from '@steadfast/store/internal'
import { refuse } from './apply.ts'
import { disbelief } from './believe.ts'
import { runToEnd } from './consume.ts'
import { decodeData } from './decode-delivery.ts'
import { ALARMS, asDeliveryError } from './delivery-error.ts'
import type { Handler } from './registry.ts'
import type { Consumer, Item } from './types.ts'
import { handlerFor, leaveStored } from './unknown.ts'

type StoredItem = Item & { stored: NonNullable<Item['stored']> }

const BATCH = 100

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

const hasPlace = ({ breaker, closing, retrying, concurrency }: Consumer) =>
  breaker.mayEnter() && !closing.aborted && retrying.size < concurrency

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
      if (!consumer.closing.aborted)
        consumer.log.error({ err, eventId }, 'a retry could not be recorded; it runs again')
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
  const alone = consumer.alone.get(row.eventId) ?? 0
  const item = itemOf(consumer, row, handler, alone)
  if (item instanceof Error) {
    const { statusCode: status = 400, code = '' } = item as { statusCode?: number; code?: string }
    const verdict = { status, error: asDeliveryError(item, status), alarm: ALARMS.has(code) ? code : undefined }
    return await refuse(consumer, { row, raw: row.body ?? Buffer.alloc(0) }, verdict)
  }
  const { outcome } = await runToEnd(consumer, item)
  // Until its next turn.
  if (outcome === 'abandoned' && item.stored.alone > 0) consumer.alone.set(row.eventId, item.stored.alone)
  else consumer.alone.delete(row.eventId)
  return outcome === 'handled' || outcome === 'refused'
}

function itemOf(consumer: Consumer, row: StoredDelivery, handler: Handler, alone: number): StoredItem | Error {
  const doubt = disbelief(handler.contract, row)
  if (doubt !== undefined) return doubt
  const raw = row.body ?? Buffer.alloc(0)
  const placeId = () => row.eventId
  const stored = { attempts: row.attempts, alone }
  try {
    const data = decodeData(consumer.parseJson, raw, consumer.options.bigIntegers)
    return { row, raw, placeId, data, deliveredAt: row.receivedAt, handler, stored }
  } catch (error) {
    return error as Error
  }
}
