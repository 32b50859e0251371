import type { EventContract } from '@steadfast/events'
import { UNANSWERED_TOPIC, UNANSWERED_TYPE, type Unanswered } from '@steadfast/store/internal'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Static, TSchema } from 'typebox'
import { deliverTo } from './deliver-to.ts'
import { NoRequest } from './errors.ts'
import type { UserHandler } from './handle.ts'
import { type ParsedOptions, parseReactionOptions, type ReactionOptions } from './options.ts'
import type { Registry } from './registry.ts'
import type { DeliveredEvent, Host } from './types.ts'

/** Tells of a request of this service's own: its body is the request's data, `event` the request as it was sent. */
export type UnansweredRequest<S extends TSchema> = FastifyRequest<{ Body: Static<S> }> & {
  event: DeliveredEvent & { unanswered: Unanswered }
}

/** Takes back what a request that nobody answered was sent for. */
export type UnansweredHandler<S extends TSchema> = (
  this: FastifyInstance,
  request: UnansweredRequest<S>,
  reply: FastifyReply
) => unknown

/** `fastify.onUnanswered`. */
export interface OnUnanswered {
  /**
   * Declares what is to happen when a request of this service will not be answered: it was refused, parked for another
   * reason, or resolved by a person. The handler runs in a transaction of its own, with its effect in the database once for
   * each change, and never when an answer came first; `request.event.unanswered` says why. While it runs, an answer waits; one
   * that comes later is handled with `request.event.afterUnanswered`.
   *
   * It is retried like a handler of events, whatever it throws or answers from 400 on, and then held for a person.
   *
   * @throws SF_INBOX_NO_REQUEST, SF_INBOX_DUPLICATE_HANDLER, SF_OPTIONS_INVALID
   */
  <S extends TSchema, T extends string>(contract: EventContract<S, T>, handler: UnansweredHandler<S>): FastifyInstance
  <S extends TSchema, T extends string>(
    contract: EventContract<S, T>,
    options: ReactionOptions,
    handler: UnansweredHandler<S>
  ): FastifyInstance
}

export function createOnUnanswered(
  registry: Registry,
  plugin: ParsedOptions,
  group: string,
  { outbox }: Pick<Host, 'outbox'>
): OnUnanswered {
  return function onUnanswered(this: FastifyInstance, request: EventContract, ...rest: unknown[]): FastifyInstance {
    if (request.awaits === undefined) throw new NoRequest(request.type, 'its contract awaits no answer')
    if (!outbox.sends(request.type)) throw new NoRequest(request.type, 'this service does not send it')
    const options = parseReactionOptions(rest.length > 1 ? rest[0] : {}, plugin, group)
    const { data, dataVersion, refusal } = request
    const told = { type: UNANSWERED_TYPE + request.type, topic: UNANSWERED_TOPIC, data, dataVersion, refusal }
    return deliverTo(this, registry, { contract: told as EventContract, options }, rest.at(-1) as UserHandler)
  } as OnUnanswered
}
