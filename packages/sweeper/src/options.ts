import { durationOption } from '@steadfast/events'
import { poolOptions } from '@steadfast/events/postgres'
import type { Pool } from 'pg'
import { Type } from 'typebox'
import type { Retention } from './retention.ts'

/** Options of the sweeper. All durations in ms. */
export interface SweeperOptions {
  /** Between two sweeps, up to a tenth less. Default 1000. */
  sweepIntervalMs?: number
  /** `false`: only `tick()` works. Default true. */
  schedule?: boolean
  /** Events that one sweep sends again, and events that it parks, at most. Default 1000. */
  sweepLimit?: number
  /** Resends of one topic that may wait for the relay at a time, so that they never starve fresh events. Default 100. */
  maxResendsOutstanding?: number
  /** How long finished rows stay; `false` removes nothing. See {@link Retention} for the defaults. */
  retention?: Partial<Retention> | false
  /** Between two walks over the tables for what is old. Default 60,000. */
  purgeIntervalMs?: number
  /** Rows that one batch of such a walk looks at. Default 1000. */
  purgeBatch?: number
  /** The longest wait for a lock. Default 2000. */
  lockTimeoutMs?: number
  /** The longest statement. Default 10,000. */
  statementTimeoutMs?: number
  /** How long closing waits for the tick under way. Default 2000. */
  closeDeadlineMs?: number
  /** Schema of Steadfast's tables. Default: the outbox's, else `steadfast`. */
  schema?: string
  /** Where the one connection it uses at a time comes from: a pool of yours. Default: the outbox's. */
  pool?: Pool
  /** The same, by the name under which @fastify/postgres was registered. */
  pg?: string
}

const positive = (fallback: number) => Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1, default: fallback })
/** What {@link SweeperOptions} are checked by. */
export const SweeperOptionsSchema = Type.Object({
  sweepIntervalMs: durationOption(1000),
  schedule: Type.Boolean({ default: true }),
  sweepLimit: positive(1000),
  maxResendsOutstanding: positive(100),
  retention: Type.Unsafe<Partial<Retention> | false>({ anyOf: [{ type: 'object' }, { const: false }], default: {} }),
  purgeIntervalMs: durationOption(60_000),
  purgeBatch: positive(1000),
  lockTimeoutMs: durationOption(2000),
  statementTimeoutMs: durationOption(10_000),
  closeDeadlineMs: durationOption(2000),
  schema: Type.Optional(Type.String()),
  ...poolOptions<Pool>()
})
