import { CENTURY_MS } from '@steadfast/events'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { isReplayable } from './headers.ts'

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
  /**
   * Headers of an answer that are kept besides the safe ones of the README. Those that hold secrets of one caller, or
   * belong to one message, are refused.
   */
  headers?: readonly string[]
  /** PostgreSQL schema of Steadfast's tables. Default: the outbox's. */
  schema?: string
}

const principal = Type.Refine(
  Type.Unsafe<IdempotencyKeyOptions['principal']>({}),
  value => value === 'shared' || typeof value === 'function',
  () => `must be 'shared' or a function of the request`
)
const header = Type.Refine(
  Type.String(),
  isReplayable,
  () => 'must be the name of a header that may be sent to another request'
)

/** What {@link IdempotencyKeyOptions} are checked by. */
export const IdempotencyKeyOptionsSchema = Type.Object({
  principal,
  ttlMs: Type.Integer({ minimum: 1, maximum: CENTURY_MS, default: 24 * 60 * 60 * 1000 }),
  headers: Type.Array(header, { default: [] }),
  schema: Type.Optional(Type.String())
})
