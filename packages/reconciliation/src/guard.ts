import type { FastifyInstance, FastifyRequest } from 'fastify'
import { readVerdict } from './actor.ts'
import { ActorInvalid, Closed, CrossSite, Forbidden, NotJson } from './errors.ts'
import { isRefusal, type Refusals } from './refusals.ts'

/**
 * What a person, or a peer, may be allowed to do. `payload`: to see what senders wrote, beside `read`. `fates` is what a
 * peer needs: its fates and what it received.
 */
export type Right = 'read' | 'payload' | 'resend' | 'resolve' | 'reprocess' | 'release' | 'replay' | 'fates' | 'erase'

/**
 * Says whether a request may do something, and who it is. `true` allows without a name: the audit trail then says
 * `unnamed`. A name has 1 to 200 characters, none of them a control character, and is not `steadfast`, the machine's own:
 * else the request fails with SF_RECONCILIATION_ACTOR_INVALID. Whatever is neither `true` nor names an actor is a no (403);
 * throw an error with `statusCode: 401` to ask for credentials.
 */
export type Authorizer = (
  request: FastifyRequest,
  action: Right
) => boolean | { actor: string } | Promise<boolean | { actor: string }>

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * The right that the route demands. `by-action`: the one that its body names. `payload`: it demands `read`, and shows
     * data to whom `payload` is allowed too.
     */
    reconciliation?: Right | 'by-action'
  }
}

const actors = new WeakMap<FastifyRequest, string>()
const viewers = new WeakSet<FastifyRequest>()

/** Who the authorizer said it is. */
export const actorOf = (request: FastifyRequest): string => actors.get(request) ?? 'unnamed'

/** Whether the authorizer allows it to see what senders wrote. */
export const mayView = (request: FastifyRequest): boolean => viewers.has(request)

/** Closes the routes of this scope: authorization before anything is read, then what browsers must not do for others. */
export function guard(fastify: FastifyInstance, authorize: Authorizer | undefined, refusals: Refusals): void {
  const demand = async (request: FastifyRequest, right: Right | undefined) => {
    if (authorize === undefined) throw new Closed()
    if (right === undefined) throw new Forbidden('use this route')
    const allowed = readVerdict(await authorize(request, right))
    if (allowed === false) throw new Forbidden(right)
    if (allowed !== true) actors.set(request, allowed)
  }

  // Who may not see data may still see the rest: that is no refusal.
  const askToView = async (request: FastifyRequest) => {
    try {
      await demand(request, 'payload')
      viewers.add(request)
    } catch (error) {
      if (!isRefusal(error)) throw error
    }
  }

  fastify.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    const { reconciliation } = request.routeOptions.config
    const right = reconciliation === 'by-action' || reconciliation === 'payload' ? 'read' : reconciliation
    await traced(refusals, request, right, async () => {
      await demand(request, right)
      refuseForeign(request)
      // A HEAD has no data.
      if (reconciliation === 'payload' && request.method === 'GET') await askToView(request)
    })
  })
  fastify.addHook('preHandler', async request => {
    if (request.routeOptions.config.reconciliation !== 'by-action') return
    const right = (request.body as { action: Right }).action
    await traced(refusals, request, right, () => demand(request, right))
  })
}

function refuseForeign({ method, headers }: FastifyRequest): void {
  if (method === 'GET' || method === 'HEAD') return
  if (headers['sec-fetch-site'] === 'cross-site') throw new CrossSite()
  if (!/^application\/json\s*(?:;|$)/i.test(headers['content-type'] ?? '')) throw new NotJson()
}

/** Leaves a trace of what is refused, and of a fault of the authorizer's, whatever handler of errors the server has. */
async function traced(
  refusals: Refusals,
  request: FastifyRequest,
  right: Right | undefined,
  check: () => Promise<void>
): Promise<void> {
  try {
    await check()
  } catch (error) {
    refusals.note(request, right, error)
    if (error instanceof ActorInvalid) request.log.error({ code: error.code, right }, error.message)
    throw error
  }
}
