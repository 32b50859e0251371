import type { EventContract } from '@steadfast/events'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Static, TSchema } from 'typebox'
import { deliverTo } from './deliver-to.ts'
import type { UserHandler } from './handle.ts'
import { type HandlerOptions, type ParsedOptions, parseHandlerOptions } from './options.ts'
import type { Registry } from './registry.ts'
import type { DeliveredEvent } from './types.ts'

/** The request of a delivery: its body is the event's data, checked by the contract and otherwise as they came. */
export type EventRequest<S extends TSchema> = FastifyRequest<{ Body: Static<S> }> & { event: DeliveredEvent }

/** Handles an event. Its status is the acknowledgement; `undefined` is 200. */
export type EventHandler<S extends TSchema> = (
  this: FastifyInstance,
  request: EventRequest<S>,
  reply: FastifyReply
) => unknown

/** `fastify.onEvent`. */
export interface OnEvent {
  /**
   * Declares the handler of an event: an ordinary route `POST /steadfast/events/<group>/<type>` on this instance, with
   * its hooks, error handler and prefix, that only deliveries reach.
   *
   * @throws SF_INBOX_DUPLICATE_HANDLER, SF_INBOX_GROUP_INVALID, SF_OPTIONS_INVALID
   */
  <S extends TSchema, T extends string>(contract: EventContract<S, T>, handler: EventHandler<S>): FastifyInstance
  <S extends TSchema, T extends string>(
    contract: EventContract<S, T>,
    options: HandlerOptions,
    handler: EventHandler<S>
  ): FastifyInstance
}

export function createOnEvent(registry: Registry, plugin: ParsedOptions, group: string): OnEvent {
  return function onEvent(this: FastifyInstance, contract: EventContract, ...rest: unknown[]): FastifyInstance {
    const options = parseHandlerOptions(rest.length > 1 ? rest[0] : {}, plugin, group)
    return deliverTo(this, registry, { contract, options }, rest.at(-1) as UserHandler)
  } as OnEvent
}
