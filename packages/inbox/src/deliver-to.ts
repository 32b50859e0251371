import type { FastifyInstance } from 'fastify'
import { contextOf, deliveryConstraint } from './context.ts'
import { DataRefused } from './errors.ts'
import { runHandler, type UserHandler } from './handle.ts'
import type { Handler, Registry } from './registry.ts'

/** A type in a path: as it is, or encoded where it has characters that mean something to a router. */
const inPath = (type: string): string =>
  /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(type) ? type : `~${Buffer.from(type).toString('base64url')}`

/** Makes a handler an ordinary route of the instance, which only deliveries reach. */
export function deliverTo(
  instance: FastifyInstance,
  registry: Registry,
  { contract, options }: Pick<Handler, 'contract' | 'options'>,
  handler: UserHandler
): FastifyInstance {
  const path = `/steadfast/events/${options.group}/${inPath(contract.type)}`
  registry.add({ contract, options, url: `${instance.prefix}${path}`, instance })
  instance.route({
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
      const context = contextOf(request.raw)
      if (context) context.stage = 'preValidation'
      request.body = context?.data
      done()
    },
    preValidation(request, _reply, done) {
      const context = contextOf(request.raw)
      if (context) context.stage = 'preHandler'
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
  return instance
}
