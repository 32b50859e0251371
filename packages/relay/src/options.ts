import { durationOption, type SigningKey } from '@steadfast/events'
import { poolOptions } from '@steadfast/events/postgres'
import type { Pool } from 'pg'
import { Type } from 'typebox'

/** Options of the relay. All durations in ms. */
export interface RelayOptions {
  /** Events in one batch. Default 1000. */
  batchSize?: number
  /** Payload bytes in one batch; an event larger than this goes alone. Default 8 MiB. */
  maxBatchBytes?: number
  /** Between two looks of an idle relay that nobody wakes: what correctness rests on. Default 200. */
  pollIntervalMs?: number
  /** `false`: only `tick()` works. Default true. */
  schedule?: boolean
  /** Between two signs of life. Default 1000. */
  beatIntervalMs?: number
  /** After so long without one, or without a send that works, others take a relay's lanes. Default 5000. */
  deadAfterMs?: number
  /** The longest send. Default 30,000. */
  sendTimeoutMs?: number
  /** The longest wait for an answer of the database, or for a connection of the pool. Default 15,000. */
  queryTimeoutMs?: number
  /**
   * An event whose topic has been missing, or forbidden, for this long is parked (`TOPIC_UNAVAILABLE`). An outage of the
   * broker does not count. Default a day.
   */
  topicPatienceMs?: number
  /** How long closing waits for the send under way. Default 5000. */
  closeDeadlineMs?: number
  /**
   * `true`: after commits in this process, relays of other processes are woken by NOTIFY, and this one listens, on a
   * connection of its own. Behind a pooler in transaction mode give the server's own address. Default false.
   */
  notify?: boolean | { connectionString: string }
  /** Between two questions whether the listening connection still answers. Default 5000. */
  notifyHeartbeatMs?: number
  /** Signs all that this relay sends; see "Signed envelopes" in the README of `@steadfast/events`. Default: nothing is signed. */
  sign?: SigningKey
  /** Schema of Steadfast's tables. Default: the outbox's, else `steadfast`. */
  schema?: string
  /** Where connections come from, of which it takes two at most and never the last: a pool of yours. Default: the outbox's. */
  pool?: Pool
  /** The same, by the name under which @fastify/postgres was registered. */
  pg?: string
}

/** What {@link RelayOptions} are checked by. */
export const RelayOptionsSchema = Type.Object({
  batchSize: Type.Integer({ minimum: 1, maximum: 10_000, default: 1000 }),
  maxBatchBytes: Type.Integer({ minimum: 1, default: 8 * 1024 * 1024 }),
  pollIntervalMs: durationOption(200),
  schedule: Type.Boolean({ default: true }),
  beatIntervalMs: durationOption(1000),
  deadAfterMs: durationOption(5000),
  sendTimeoutMs: durationOption(30_000),
  queryTimeoutMs: durationOption(15_000),
  topicPatienceMs: durationOption(86_400_000),
  closeDeadlineMs: durationOption(5000),
  notify: Type.Union([Type.Boolean(), Type.Object({ connectionString: Type.String() })], { default: false }),
  notifyHeartbeatMs: durationOption(5000),
  sign: Type.Optional(Type.Unsafe<SigningKey>({ type: 'object' })),
  schema: Type.Optional(Type.String()),
  ...poolOptions<Pool>()
})
