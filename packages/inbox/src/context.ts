import { AsyncLocalStorage } from 'node:async_hooks'
import type { EventEnvelope } from '@steadfast/events'
import type { TransactionControl } from '@steadfast/outbox'
import { type NewDelivery, type Replay, UNANSWERED_TOPIC, type Unanswered } from '@steadfast/store/internal'
import type { FastifyInstance } from 'fastify'
import type { Consumer } from './consumer.ts'
import type { Handler } from './registry.ts'

/** The event at hand, as a handler sees it: `request.event`. */
export interface DeliveredEvent extends EventEnvelope {
  /** The data exactly as they came. */
  readonly raw: string
  /** When the log took the message. */
  deliveredAt: Date
  topic: string
  /** Where it stands in the log. */
  position: string
  /** What has become of the request that `onUnanswered` tells of. */
  unanswered?: Unanswered
  /** An answer: the handler of `onUnanswered` has run for the request that it answers. */
  afterUnanswered?: boolean
}

/** What is on its way to a handler: fresh from the transport, or out of the inbox again. */
export interface Item {
  /** Becomes another one when the id turns out to be another event's. */
  row: NewDelivery
  raw: Buffer
  placeId(): string
  data: unknown
  deliveredAt: Date
  handler: Handler
  /** A row of the inbox that was set aside, with its count of attempts. */
  stored?: { attempts: number }
}

/** One run of a delivery through its route, from `inject` to the outcome. */
export interface DeliveryContext {
  consumer: Consumer
  item: Item
  /** The constraint has let it in: it lets nothing else in. */
  routed: boolean
  raw?: { destroy(): void }
  /** What the handler is given: the item's data, opened. */
  data?: unknown
  /** How far it came: it is in, or before, these hooks · the inbox's own statements · the handler. */
  stage: 'onRequest' | 'preValidation' | 'preHandler' | 'inbox' | 'handler'
  tx?: TransactionControl
  /** What ended without the handler: see `run-handler.ts`. */
  ended?: 'duplicate' | 'blocked' | 'lost' | 'skipped' | undefined
  /** The first error that Fastify saw. */
  error?: unknown
  status?: number
  afterUnanswered?: boolean
  replay?: Replay | undefined
  event?: DeliveredEvent
}

/** Whether a delivery tells of a request of this service's own that nobody answered. */
export const isUnanswered = ({ topic }: NewDelivery): boolean => topic === UNANSWERED_TOPIC

export const deliveries = new AsyncLocalStorage<DeliveryContext>()

const NAME = 'steadfastDelivery'
const kContext = Symbol('steadfast.delivery')

/** The delivery that a raw request carries; hooks that lose their asynchronous context do not lose it. */
export const contextOf = (raw: object) => (raw as { [kContext]?: DeliveryContext })[kContext]

/** The event of a delivery's request. */
export function eventOf(raw: object): DeliveredEvent | undefined {
  const context = contextOf(raw)
  if (context === undefined) return undefined
  context.event ??= makeEvent(context)
  return context.event
}

function makeEvent({ item, replay, afterUnanswered }: DeliveryContext): DeliveredEvent {
  const { row, raw, deliveredAt } = item
  return {
    ...row.envelope,
    replay: row.envelope.replay || replay !== undefined,
    get raw() {
      return raw.toString('utf8')
    },
    deliveredAt,
    topic: row.topic,
    position: row.position,
    ...(afterUnanswered && { afterUnanswered })
  }
}

/** The constraint of delivery routes: met only by the one request that the inbox itself has just injected. */
export const deliveryConstraint = { [NAME]: 'inbox' }

export function addDeliveryConstraint(fastify: FastifyInstance): void {
  if (fastify.hasConstraintStrategy(NAME)) return
  fastify.addConstraintStrategy({
    name: NAME,
    storage() {
      const stores = new Map<unknown, unknown>()
      return {
        get: (key: unknown) => (stores.get(key) ?? null) as never,
        set: (key: unknown, store: unknown) => void stores.set(key, store)
      }
    },
    validate: () => true,
    deriveConstraint(request: { [kContext]?: DeliveryContext; destroy(): void }) {
      const context = deliveries.getStore()
      if (context === undefined || context.routed) return undefined
      context.routed = true
      request[kContext] = context
      context.raw = request
      return 'inbox'
    }
  } as Parameters<FastifyInstance['addConstraintStrategy']>[0])
}
