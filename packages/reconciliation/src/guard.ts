import type { FastifyInstance, FastifyRequest } from 'fastify'
import { Closed, CrossSite, Forbidden, NotJson } from './errors.ts'

/** What a person, or a peer, may be allowed to do. `fates` is what a peer needs: its fates and what it received. */
export type Right = 'read' | 'resend' | 'resolve' | 'reprocess' | 'release' | 'replay' | 'fates'

/**
 * Says whether a request may do something, and who it is. `true` allows without a name: the audit trail then says
 * `unnamed`. Whatever is neither `true` nor names an actor is a no (403); throw an error with `statusCode: 401` to ask
 * for credentials.
 */
export type Authorizer = (
  request: FastifyRequest,
  action: Right
) => boolean | { actor: string } | Promise<boolean | { actor: string }>

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The right that the route demands; `by-action`: the one that its body names. */
    reconciliation?: Right | 'by-action'
  }
}

const actors = new WeakMap<FastifyRequest, string>()

/** Who the authorizer said it is. */
export const actorOf = (request: FastifyRequest): string => actors.get(request) ?? 'unnamed'

/** Closes the routes of this scope: authorization before anything is read, then what browsers must not do for others. */
export function guard(fastify: FastifyInstance, authorize: Authorizer | undefined): void {
  const demand = async (request: FastifyRequest, right: Right | undefined) => {
    if (authorize === undefined) throw new Closed()
    if (right === undefined) throw new Forbidden('use this route')
    const verdict: unknown = await authorize(request, right)
    const actor = (verdict as { actor?: unknown } | null | undefined)?.actor
    if (typeof actor === 'string' && actor !== '') actors.set(request, actor)
    else if (verdict !== true) throw new Forbidden(right)
  }

  fastify.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    const { reconciliation: right } = request.routeOptions.config
    await demand(request, right === 'by-action' ? 'read' : right)
    if (request.method === 'GET' || request.method === 'HEAD') return
    if (request.headers['sec-fetch-site'] === 'cross-site') throw new CrossSite()
    if (!/^application\/json\s*(?:;|$)/i.test(request.headers['content-type'] ?? '')) throw new NotJson()
  })
  fastify.addHook('preHandler', async request => {
    if (request.routeOptions.config.reconciliation === 'by-action')
      await demand(request, (request.body as { action: Right }).action)
  })
}
