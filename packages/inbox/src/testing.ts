import { randomUUID } from 'node:crypto'
import { buildEvent, type Delivery, type EventContract, encodeEvent, sendersOf } from '@steadfast/events'
import type { FastifyInstance } from 'fastify'
import type { Static, TSchema } from 'typebox'
import { takeIn } from './consumer.ts'
import { kConsumers } from './index.ts'
import type { Accepted, Consumer } from './types.ts'

/** What may be said of a delivery in a test. */
export interface DeliverOptions {
  /** The event's id; give the same one twice for a duplicate. Default: a new one. */
  id?: string
  /** Who sent it. Default: the first whom the contract allows, else `test`. */
  source?: string
  /** The event it answers or was caused by. */
  causationId?: string
  correlationId?: string
  key?: string
  /** Default: `<source>.signals` when the contract awaits an answer. */
  replyTo?: string
  /** 1 for the first send. Default 1. */
  attempt?: number
  /** The answer in whose place it comes. */
  supersedes?: string
  headers?: Record<string, string>
  /** The consumer group. Default: the service's own. */
  group?: string
  /** When the log took it. Default: now. */
  timestamp?: Date
  /** Where it stands in the log. Default: a new place each time. */
  position?: string
  /** Bytes to deliver instead of the data, e.g. broken ones. */
  raw?: Buffer
}

let positions = 0

/**
 * Runs one delivery through the real path (constraint, schema, hooks, transaction, inbox) and says what became of it.
 * The server must be ready.
 */
export async function deliver<S extends TSchema, T extends string>(
  app: FastifyInstance,
  contract: EventContract<S, T>,
  data: Static<S>,
  options: DeliverOptions = {}
): Promise<Accepted> {
  const consumers = (app.inbox as unknown as { [kConsumers]: Map<string, Consumer> })[kConsumers]
  const consumer = consumers.get(options.group ?? app.inbox.group)
  if (consumer === undefined) throw new Error(`no group "${options.group}" takes events here`)
  return await takeIn(consumer, deliveryOf(contract, data, options))
}

/** The delivery of an event as a transport would hand it over. */
export function deliveryOf<S extends TSchema, T extends string>(
  contract: EventContract<S, T>,
  data: Static<S>,
  options: DeliverOptions = {}
): Delivery {
  const source = options.source ?? sendersOf(contract)?.[0] ?? 'test'
  const event = buildEvent(contract as unknown as EventContract, data, { source }, { headers: options.headers ?? {} })
  const message = encodeEvent({
    ...event,
    id: options.id ?? event.id,
    key: options.key ?? event.key,
    seq: String(++positions),
    causationId: options.causationId ?? null,
    correlationId: options.correlationId ?? options.id ?? event.id,
    replyTo: options.replyTo ?? event.replyTo,
    supersedes: options.supersedes ?? null,
    createdAt: new Date(),
    count: (options.attempt ?? 1) - 1,
    replay: false
  })
  return {
    topic: message.topic,
    key: Buffer.from(message.key),
    headers: message.headers,
    raw: options.raw ?? message.value,
    timestamp: options.timestamp ?? new Date(),
    position: options.position ?? `test:${randomUUID()}`,
    done() {}
  }
}

/** Runs what is due now in the inbox, once. Returns how many deliveries came to an end. */
export async function retryOnce(app: FastifyInstance): Promise<number> {
  return await app.inbox.tick()
}

export type { Accepted }
