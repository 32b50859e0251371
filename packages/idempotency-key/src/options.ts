import { CENTURY_MS } from '@steadfast/events'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'

/** Says whose key a request brings: a text that is not empty, the same for each request of one caller. */
export type Principal = (request: FastifyRequest) => string | Promise<string>

/** Options of the plugin. */
export interface IdempotencyKeyOptions {
  /**
   * Whose keys they are: what identifies the caller who was authenticated, e.g. the id of the account. Called when all
   * hooks of the route have run. Callers with the same text share their keys and are given each other's answers;
   * `'shared'` says that all of them are meant to.
   */
  principal: 'shared' | Principal
  /** For how many ms a key and its answer are kept. Default 24 hours. */
  ttlMs?: number
  /** Headers kept with the answer. Default: content-type, content-location, etag, last-modified, link and location. */
  headers?: readonly string[]
  /** PostgreSQL schema of Steadfast's tables. Default: the outbox's. */
  schema?: string
}

const principal = Type.Refine(
  Type.Unsafe<IdempotencyKeyOptions['principal']>({}),
  value => value === 'shared' || typeof value === 'function',
  () => `must be 'shared' or a function of the request`
)

/** What {@link IdempotencyKeyOptions} are checked by. */
export const IdempotencyKeyOptionsSchema = Type.Object({
  principal,
  ttlMs: Type.Integer({ minimum: 1, maximum: CENTURY_MS, default: 24 * 60 * 60 * 1000 }),
  headers: Type.Array(Type.String(), {
    default: ['content-type', 'content-location', 'etag', 'last-modified', 'link', 'location']
  }),
  schema: Type.Optional(Type.String())
})
