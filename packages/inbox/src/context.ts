import { AsyncLocalStorage } from 'node:async_hooks'
import { type NewDelivery, UNANSWERED_TOPIC } from '@steadfast/store/internal'
import type { FastifyInstance } from 'fastify'
import type { DeliveredEvent, DeliveryContext } from './types.ts'

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
