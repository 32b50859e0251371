import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
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
  const { route } = options
  instance.route({
    ...route,
    method: 'POST',
    url: path,
    constraints: deliveryConstraint,
    schema: { hide: true, ...route.schema, body: contract.data } as object,
    validatorCompiler: () => (data: unknown) => {
      const refusal = contract.refusal(data)
      return refusal === undefined ? true : { error: new DataRefused(contract.type, refusal) }
    },
    handlerTimeout: options.timeoutMs,
    transaction: true,
    onRequest: [...listOf(route.onRequest), takeData],
    preValidation: [...listOf(route.preValidation), passValidation],
    onError: [noteError, ...listOf(route.onError)],
    handler(request, reply) {
      const context = contextOf(request.raw)
      return context && runHandler(context, this, request, reply, handler)
    }
  } as Parameters<FastifyInstance['route']>[0])
  return instance
}

const listOf = <Hook>(hooks: Hook | Hook[] | undefined): Hook[] =>
  hooks === undefined ? [] : Array.isArray(hooks) ? hooks : [hooks]

function takeData(request: FastifyRequest, _reply: FastifyReply, done: () => void): void {
  const context = contextOf(request.raw)
  if (context) context.stage = 'preValidation'
  request.body = context?.data
  done()
}

function passValidation(request: FastifyRequest, _reply: FastifyReply, done: () => void): void {
  const context = contextOf(request.raw)
  if (context) context.stage = 'preHandler'
  done()
}

function noteError(request: FastifyRequest, _reply: FastifyReply, error: Error, done: () => void): void {
  const context = contextOf(request.raw)
  if (context) context.error ??= error
  done()
}
