import { CENTURY_MS, functionOption } from '@steadfast/events'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'

/** Options of the plugin. */
export interface IdempotencyKeyOptions {
  /**
   * Whose keys they are, e.g. the account of the caller. Default: one space for all callers, where a caller who guesses
   * another's key, and its request, is given that answer.
   */
  principal?: (request: FastifyRequest) => string
  /** For how many ms a key and its answer are kept. Default 24 hours. */
  ttlMs?: number
  /** Headers kept with the answer. Default: content-type, content-location, etag, last-modified, link and location. */
  headers?: readonly string[]
  /** PostgreSQL schema of Steadfast's tables. Default: the outbox's. */
  schema?: string
}

/** What {@link IdempotencyKeyOptions} are checked by. */
export const IdempotencyKeyOptionsSchema = Type.Object({
  principal: Type.Optional(functionOption<NonNullable<IdempotencyKeyOptions['principal']>>()),
  ttlMs: Type.Integer({ minimum: 1, maximum: CENTURY_MS, default: 24 * 60 * 60 * 1000 }),
  headers: Type.Array(Type.String(), {
    default: ['content-type', 'content-location', 'etag', 'last-modified', 'link', 'location']
  }),
  schema: Type.Optional(Type.String())
})
