import { type EventSummary, findUnknown, listEvents, readClock } from '@steadfast/store/internal'
import type { Static } from 'typebox'
import { askPeer } from './ask-peer.ts'
import { actionsFor, CLASSES, type Class, classify, type FittingAction, isDivergence } from './classify.ts'
import type { Context } from './context.ts'
import { type FateRow, Fates, Received } from './schemas.ts'

/** One request, or one effect, on which the ledgers were compared. */
export interface Compared {
  id: string
  class: Class
  type: string
  key: string
  status: string | null
  reason: string | null
  createdAt: Date | null
  receivedAt: Date | null
  fate: Static<typeof FateRow> | null
  actions: FittingAction[]
}

/** A page of a comparison. `items` may be few or none while `next` still leads on. */
export interface Comparison {
  peer: string
  since: Date
  /** Of this page, agreeing ones included. */
  counts: Record<Class, number>
  items: Compared[]
  next: string | null
}

interface Question {
  peer: string
  /** The name of a peer is its source. */
  since: Date
  until?: Date | undefined
  after?: string | undefined
  limit: number
  all: boolean
}

/**
 * Compares what this service asked of a peer with what the peer received from it, over one stretch of ids on both
 * sides: the next `limit` of each, up to where both are known.
 *
 * Read in an order that forgives what moves meanwhile: first the rows here, then the peer, then again the rows that
 * seem to diverge; one that has moved is in flight.
 */
export async function compareLedgers(context: Context, question: Question): Promise<Comparison> {
  const { peer, since, until, after, limit, all } = question
  const { source } = context
  const filter = { awaitsFrom: peer, source, since, ...(until === undefined ? {} : { until }) }
  const { now, own } = await context.read(async db => ({
    now: await readClock(db),
    own: await listEvents(db, filter, { after, limit, order: 'oldest' })
  }))
  const query = new URLSearchParams({ source, since: since.toISOString(), limit: String(limit) })
  if (after !== undefined) query.set('after', after)
  const received = await askPeer(context, peer, `/received?${query}`, Received)

  const bound = until === undefined ? undefined : floorOf(until)
  const inTime = (id: string) => bound === undefined || id < bound
  const theirEnd = received.next !== null && inTime(received.next) ? received.next : undefined
  const end = firstEnd(own.length === limit ? own.at(-1)?.id : undefined, theirEnd)
  const within = ({ id }: { id: string }) => inTime(id) && (end === null || id <= end)
  const requests = await compareRequests(context, peer, own.filter(within), now)
  const effects = await findEffectsWithoutEvent(context, received.items.filter(within))
  const compared = [...requests, ...effects].sort((a, b) => (a.id < b.id ? -1 : 1))
  const counts = Object.fromEntries(CLASSES.map(name => [name, 0])) as Record<Class, number>
  for (const item of compared) counts[item.class]++
  const items = all ? compared : compared.filter(item => isDivergence(item.class))
  return { peer, since, counts, items, next: end }
}

// A UUID v7 begins with its time in ms, so that text order is order of time.
const floorOf = (time: Date) => Math.max(0, time.getTime()).toString(16).padStart(12, '0').replace(/^.{8}/, '$&-')

// What lies beyond the shorter page of the two is not known on one side yet.
function firstEnd(here: string | undefined, there: string | undefined): string | null {
  if (here === undefined) return there ?? null
  return there === undefined || here < there ? here : there
}

async function compareRequests(context: Context, peer: string, own: EventSummary[], now: Date): Promise<Compared[]> {
  if (own.length === 0) return []
  const { settleMs } = context
  const { consumer, fates } = await askPeer(context, peer, '/fates', Fates, { ids: own.map(({ id }) => id) })
  const fateOf = new Map(fates.map(fate => [fate.id, fate]))
  const first = own.map(event => {
    const fate = fateOf.get(event.id) ?? null
    return {
      event,
      fate,
      class: fate === null ? ('in-flight' as const) : classify(event, fate.fate, { now, settleMs })
    }
  })
  const doubtful = first.filter(f => isDivergence(f.class)).map(f => f.event.id)
  const again = await listEvents(context.db, { ids: doubtful }, { limit: doubtful.length })
  const updates = new Map(again.map(event => [event.id, event.updatedAt.getTime()]))
  const places = { here: context.source, consumerHere: context.consumer, there: peer, consumerThere: consumer }
  return first.map(({ event, fate, class: found }) => {
    const moved = isDivergence(found) && updates.get(event.id) !== event.updatedAt.getTime()
    const name = moved ? 'in-flight' : found
    return {
      id: event.id,
      class: name,
      type: event.type,
      key: event.key,
      status: event.status,
      reason: event.parkReason,
      createdAt: event.createdAt,
      receivedAt: fate === null || fate.receivedAt === null ? null : new Date(fate.receivedAt),
      fate,
      actions: actionsFor(name, event, places)
    }
  })
}

async function findEffectsWithoutEvent(
  { db }: Context,
  received: Static<typeof Received>['items']
): Promise<Compared[]> {
  const unknown = new Set(
    await findUnknown(
      db,
      received.map(({ id }) => id)
    )
  )
  return received
    .filter(({ id }) => unknown.has(id))
    .map(({ id, type, key, receivedAt }) => ({
      id,
      class: 'effect-without-event',
      type,
      key,
      status: null,
      reason: null,
      createdAt: null,
      receivedAt: new Date(receivedAt),
      fate: null,
      actions: []
    }))
}
