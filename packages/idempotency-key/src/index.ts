import { parseOptions } from '@steadfast/events'
import { findPool } from '@steadfast/events/postgres'
import type { Answer } from '@steadfast/outbox'
import { requireSchema } from '@steadfast/store'
import {
  beginIdempotent,
  checkIdentifier,
  type Db,
  type Queryable,
  storeAnswer,
  storeOn
} from '@steadfast/store/internal'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { keepAnswer, replayAnswer } from './answer.ts'
import { HeaderRefused, KeyInProgress, KeyMissing, KeyReused, KeyUndone, NeedsTransaction } from './errors.ts'
import { fingerprintOf, watchBody } from './fingerprint.ts'
import { keptNames, watchForSecrets } from './headers.ts'
import { nameKey, routeOf } from './name-key.ts'
import { type IdempotencyKeyOptions, IdempotencyKeyOptionsSchema, type Principal } from './options.ts'
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

async function idempotencyKeyPlugin(fastify: FastifyInstance, given: IdempotencyKeyOptions): Promise<void> {
  const options = parseOptions('@steadfast/idempotency-key', IdempotencyKeyOptionsSchema, given)
  const schema = checkIdentifier('schema', options.schema ?? fastify.outbox.schema)
  const pool = findPool<Queryable>(fastify, '@steadfast/idempotency-key', {})
  fastify.addHook('onReady', () => requireSchema(pool, schema, 'idempotency-key'))
  const names = keptNames(options.headers)
  const { ttlMs, principal } = options
  const { ignoreLate, isFailing, markServed } = fastify.outbox.routes

  fastify.addHook('onRoute', route => {
    const { idempotencyKey: settings } = route
    if (settings === undefined || settings === false) return
    markServed(route, 'idempotencyKey')
    if (!route.transaction) throw new NeedsTransaction(String(route.method), route.url)
    honourKey(route, settings === true ? {} : settings)
  })

  /** Around the handler, and no hook: whoever adds hooks to a route, now or later, is asked before the key. */
  function honourKey(route: RouteOptions, { required = false }: IdempotencyKeyRouteOptions): void {
    const { handler } = route
    const where = routeOf(route)
    route.onRequest = [watch, ...listOf(route.onRequest)] as NonNullable<typeof route.onRequest>
    route.handler = ignoreLate(async function handleOnce(request, reply) {
      const header = readKey(request.headers['idempotency-key'])
      if (header === undefined && required) throw new KeyMissing()
      if (header !== undefined) {
        const scope = `${request.method} ${where}`
        const key = await nameKey(principal, request, header)
        const db = storeOn(request.tx, schema)
        const stored = await begin(db, request, { scope, key })
        if (isFailing(request)) return reply
        if (stored !== undefined) return replayAnswer(reply, stored)
        storeBeforeCommit(db, request, reply, { scope, key })
      }
      const returned = handler.call(this, request, reply)
      // A handler that is no asynchronous function sends by itself, perhaps later.
      return returned === undefined ? reply : returned
    })
  }

  /** @returns the answer that is stored, if there is one; else the key is this request's */
  async function begin(db: Db, request: FastifyRequest, key: { scope: string; key: string }) {
    const fingerprint = fingerprintOf(request)
    const begun = await beginIdempotent(db, { ...key, fingerprint, ttlMs })
    if (begun === 'in-progress') throw Object.assign(new KeyInProgress(), { headers: { 'retry-after': '1' } })
    if (begun === 'taken') return undefined
    if (begun.fingerprint !== fingerprint) throw new KeyReused()
    return begun
  }

  function storeBeforeCommit(
    db: Db,
    request: FastifyRequest,
    reply: FastifyReply,
    key: { scope: string; key: string }
  ): void {
    const secret = watchForSecrets(reply)
    request.tx.beforeCommit(async answer => {
      const name = secret()
      if (name !== undefined) throw new HeaderRefused(name)
      if (!(await storeAnswer(db, key, keepAnswer(answer as Answer, names)))) throw new KeyUndone()
    })
  }
}

function watch(request: FastifyRequest, _reply: FastifyReply, done: () => void): void {
  if (request.headers['idempotency-key'] !== undefined) watchBody(request)
  done()
}

const listOf = (hooks: unknown): unknown[] => (Array.isArray(hooks) ? hooks : hooks === undefined ? [] : [hooks])

export * as errors from './errors.ts'
export type { IdempotencyKeyOptions, Principal }

export const idempotencyKey = fp(idempotencyKeyPlugin, {
  fastify: '5.x',
  name: '@steadfast/idempotency-key',
  dependencies: ['@steadfast/outbox']
})
export default idempotencyKey
