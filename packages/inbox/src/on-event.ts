import type { EventContract } from '@steadfast/events'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Static, TSchema } from 'typebox'
import { contextOf, type DeliveredEvent, deliveryConstraint } from './context.ts'
import { DataRefused } from './errors.ts'
import { type HandlerOptions, type ParsedOptions, parseHandlerOptions } from './options.ts'
import type { Handler, Registry } from './registry.ts'
import { runHandler } from './run-handler.ts'

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
    const handler = rest.at(-1) as (this: FastifyInstance, request: FastifyRequest, reply: FastifyReply) => unknown
    const options = parseHandlerOptions(rest.length > 1 ? rest[0] : {}, plugin, group)
    const path = `/steadfast/events/${options.group}/${contract.type}`
    const declared: Handler = { contract, options, url: `${this.prefix}${path}`, instance: this }
    registry.add(declared)
    this.route({
      method: 'POST',
      url: path,
      constraints: deliveryConstraint,
      schema: { hide: true, body: contract.data } as object,
      validatorCompiler: () => (data: unknown) => {
        const refusal = contract.refusal(data)
        return refusal === undefined ? true : { error: new DataRefused(contract.type, refusal) }
      },
      handlerTimeout: options.timeoutMs,
      transaction: true,
      onRequest(request, _reply, done) {
        request.body = contextOf(request.raw)?.item.data
        done()
      },
      onError(request, _reply, error, done) {
        const context = contextOf(request.raw)
        if (context) context.error ??= error
        done()
      },
      handler(request, reply) {
        const context = contextOf(request.raw)
        return context && runHandler(context, this, request, reply, handler)
      }
    } as Parameters<FastifyInstance['route']>[0])
    return this
  } as OnEvent
}
