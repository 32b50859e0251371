import { parseOptions } from '@steadfast/events'
import { type Answer, markServed } from '@steadfast/outbox'
import { beginIdempotent, checkIdentifier, type Queryable, requireSchema, storeAnswer, storeOn } from '@steadfast/store'
import type { FastifyInstance, preHandlerAsyncHookHandler, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { keepAnswer, replayAnswer } from './answer.ts'
import { KeyInProgress, KeyMissing, KeyReused, KeyUndone, NeedsTransaction } from './errors.ts'
import { fingerprintOf } from './fingerprint.ts'
import { type IdempotencyKeyOptions, IdempotencyKeyOptionsSchema } from './options.ts'
import { readKey } from './read-key.ts'

declare module 'fastify' {
  interface RouteShorthandOptions {
    /**
     * Honours the header `Idempotency-Key`: a second request with the same key gets the first one's answer. Needs
     * `transaction: true`. Default false.
     */
    idempotencyKey?: boolean | IdempotencyKeyRouteOptions
  }
}

/** The route option `idempotencyKey`. */
export interface IdempotencyKeyRouteOptions {
  /** Refuses requests without the header. Default false: they are handled, without protection. */
  required?: boolean
}

async function idempotencyKey(fastify: FastifyInstance, given: IdempotencyKeyOptions): Promise<void> {
  const options = parseOptions('@steadfast/idempotency-key', IdempotencyKeyOptionsSchema, given)
  const schema = checkIdentifier('schema', options.schema ?? fastify.outbox.schema)
  const { pool } = (fastify as unknown as { pg: { pool: Queryable } }).pg
  fastify.addHook('onReady', () => requireSchema(pool, schema))
  const names = options.headers.map(name => name.toLowerCase())
  const { ttlMs, principal = () => '' } = options

  fastify.addHook('onRoute', route => {
    const { idempotencyKey: settings } = route
    if (settings === undefined || settings === false) return
    markServed(route, 'idempotencyKey')
    if (!route.transaction) throw new NeedsTransaction(String(route.method), route.url)
    const { required = false } = settings === true ? {} : settings
    // Last, so that a request that is not allowed or not valid takes no key.
    addPreHandler(route, guard(required))
  })

  function guard(required: boolean): preHandlerAsyncHookHandler {
    return async (request, reply) => {
      const key = readKey(request.headers['idempotency-key'])
      if (key === undefined) {
        if (required) throw new KeyMissing()
        return
      }
      const { tx } = request
      const db = storeOn(tx, schema)
      const scope = JSON.stringify([principal(request), request.method, request.routeOptions.url])
      const fingerprint = fingerprintOf(request)
      const begun = await beginIdempotent(db, { scope, key, fingerprint, ttlMs })
      if (begun === 'in-progress') throw Object.assign(new KeyInProgress(), { headers: { 'retry-after': '1' } })
      if (begun === 'taken') {
        tx.beforeCommit(async answer => {
          if (!(await storeAnswer(db, { scope, key }, keepAnswer(answer as Answer, names)))) throw new KeyUndone()
        })
        return
      }
      if (begun.fingerprint !== fingerprint) throw new KeyReused()
      return replayAnswer(reply, begun)
    }
  }
}

function addPreHandler(route: RouteOptions, hook: preHandlerAsyncHookHandler): void {
  const given = route.preHandler
  const before = Array.isArray(given) ? given : given === undefined ? [] : [given]
  route.preHandler = [...before, hook] as NonNullable<typeof given>
}

export * as errors from './errors.ts'
export type { IdempotencyKeyOptions } from './options.ts'

export const steadfastIdempotencyKey = fp(idempotencyKey, {
  fastify: '5.x',
  name: '@steadfast/idempotency-key',
  dependencies: ['@steadfast/outbox']
})
export default steadfastIdempotencyKey
