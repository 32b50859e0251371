import {
  CENTURY_MS,
  checkKey,
  durationOption,
  functionOption,
  LONGEST_MS,
  type Open,
  parseOptions,
  type Verification
} from '@steadfast/events'
import type { RouteShorthandOptions } from 'fastify'
import { type Static, Type } from 'typebox'
import { InvalidGroup } from './errors.ts'

/** What {@link RetryOptions} are checked by. */
export const RetrySchema = Type.Object({
  quickRetries: Type.Integer({ minimum: 0, default: 3 }),
  quickRetryDelayMs: durationOption(100, { minimum: 0, description: 'before the first quick retry; doubles' }),
  delaysMs: Type.Array(Type.Integer({ minimum: 0, maximum: CENTURY_MS }), {
    default: [5_000, 30_000, 120_000, 600_000, 3_600_000]
  })
})

/** How a handler's failures are retried. */
export interface RetryOptions {
  /** Retries at once, in memory, while the key waits. Default 3. */
  quickRetries: number
  /** Before the first quick retry, in ms; doubles with each. Default 100. */
  quickRetryDelayMs: number
  /** After the quick retries the delivery is set aside and retried after these delays, in ms; then it is held. Default 5 s, 30 s, 2 min, 10 min, 1 h. */
  delaysMs: number[]
}

/** Fastify's own options that the route of a handler may have. The others are the inbox's to set. */
const ROUTE_OPTIONS = [
  'childLoggerFactory',
  'config',
  'errorHandler',
  'logLevel',
  'logSerializers',
  'onError',
  'onRequest',
  'onRequestAbort',
  'onResponse',
  'onSend',
  'onTimeout',
  'preHandler',
  'preParsing',
  'preSerialization',
  'preValidation',
  'schema',
  'schemaErrorFormatter',
  'serializerCompiler'
] as const

/** Fastify's own options that the route of a handler may have. */
export type DeliveryRouteOptions = Pick<RouteShorthandOptions, (typeof ROUTE_OPTIONS)[number]>

const routeOptions = Object.fromEntries(ROUTE_OPTIONS.map(name => [name, Type.Optional(Type.Unknown())]))

const HandlerSchema = Type.Object({
  ...routeOptions,
  group: Type.Optional(Type.String()),
  retry: Type.Optional(Type.Unsafe<Partial<RetryOptions>>({ type: 'object' })),
  onExhausted: Type.Optional(Type.Union([Type.Literal('hold'), Type.Literal('refuse')])),
  timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: LONGEST_MS })),
  lockTimeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: LONGEST_MS }))
})

const ReactionSchema = Type.Omit(HandlerSchema, ['group', 'onExhausted'])

const Topic = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$' })

/** What {@link InboxOptions} are checked by, `retry` apart. */
export const InboxSchema = Type.Object({
  group: Type.Optional(Type.String()),
  schema: Type.Optional(Type.String()),
  maxInFlight: Type.Integer({ minimum: 1, default: 100 }),
  concurrency: Type.Optional(Type.Integer({ minimum: 1 })),
  timeoutMs: durationOption(30_000),
  lockTimeoutMs: durationOption(5_000),
  retry: Type.Optional(Type.Unsafe<Partial<RetryOptions>>({ type: 'object' })),
  onExhausted: Type.Union([Type.Literal('hold'), Type.Literal('refuse')], { default: 'hold' }),
  retryPollMs: durationOption(1_000, { minimum: 0, description: 'between two looks for what is due' }),
  unknownPatienceMs: durationOption(3_600_000, { minimum: 0, description: 'for a process that knows the type' }),
  pauseAfterKeys: Type.Integer({ minimum: 1, default: 10 }),
  pauseMs: durationOption(1_000),
  pauseMaxMs: durationOption(30_000),
  leaveAfterMs: durationOption(30_000),
  closeDeadlineMs: durationOption(10_000, { minimum: 0, description: 'for deliveries at work when the server closes' }),
  replyTo: Type.Record(Type.String(), Type.Union([Topic, Type.Array(Topic)]), { default: {} }),
  verify: Type.Optional(
    Type.Object(
      {
        keys: Type.Unsafe<Verification['keys']>({ type: 'object' }),
        requiredFrom: Type.Optional(Type.Array(Type.String()))
      },
      { additionalProperties: false }
    )
  ),
  open: Type.Optional(functionOption<Open>()),
  bigIntegers: Type.Union([Type.Literal('refuse'), Type.Literal('bigint')], { default: 'refuse' }),
  ensureTopics: Type.Optional(Type.Object({ partitions: Type.Integer({ minimum: 1 }) }))
})

/** Options of the plugin. */
export interface InboxOptions {
  /** The consumer group, and the `consumer` of its rows. Default: the outbox's `source`. */
  group?: string
  /** Schema of Steadfast's tables. Default: the outbox's. */
  schema?: string
  /** Deliveries that a subscription hands out and that are not done, at most. Default 100. */
  maxInFlight?: number
  /** Handlers that run at a time, in all groups; each holds a connection. Default: the pool's `max` less 2, at least 1. */
  concurrency?: number
  /** How long a handler may take, in ms. Default 30 s. */
  timeoutMs?: number
  /** How long a handler's statements may wait for a lock, in ms. Default 5 s. */
  lockTimeoutMs?: number
  /** Retries of failed handlers. */
  retry?: Partial<RetryOptions>
  /** What happens when the retries are exhausted: `hold` the key for a person (default), or `refuse` the event and go on. */
  onExhausted?: 'hold' | 'refuse'
  /** Between two looks for retries and replays that are due, in ms; 0: only `tick()`. Default 1 s. */
  retryPollMs?: number
  /**
   * How long a delivery of a type that no handler of this process takes, or of a newer `dataVersion`, is left for a process
   * of the group that knows it, in ms; then it is refused. Default 1 h.
   */
  unknownPatienceMs?: number
  /** So many keys of a type failed within a minute without a success between: the type is slowed down. Default 10. */
  pauseAfterKeys?: number
  /** The first pause before a probe of what is paused or slowed down, in ms; doubles up to `pauseMaxMs`. Default 1 s. */
  pauseMs?: number
  /** Default 30 s. */
  pauseMaxMs?: number
  /**
   * A process whose database is away for so long, in ms, while the broker is well, leaves its groups, so that others take
   * its partitions; it joins again when the database answers. Default 30 s.
   */
  leaveAfterMs?: number
  /** How long the closing server waits for deliveries at work, in ms. Default 10 s. */
  closeDeadlineMs?: number
  /**
   * Topics where a source may have its signals beside `<source>.signals`, by source. To others nothing is sent, since
   * whoever writes an envelope says where it is to go.
   */
  replyTo?: Record<string, string | string[]>
  /**
   * The keys by which signatures of envelopes are verified, before anything else. Default: none is looked at. See
   * "Signed envelopes" in the README of `@steadfast/events`.
   */
  verify?: Verification
  /**
   * Decrypts payloads, before the contract checks them; also those of this service's own requests, for `onUnanswered`. Default:
   * payloads are taken as they come.
   */
  open?: Open
  /**
   * What becomes of an event with an integer beyond 2^53, which would be rounded: it is refused by name, or the handler finds a
   * BigInt there, for which its contract has to ask (`Type.BigInt`). Default `refuse`.
   */
  bigIntegers?: 'refuse' | 'bigint'
  /**
   * Creates missing topics when the server starts, and while the broker does not let it, in the background; `health()` says
   * why. Default: off, topics are the broker's owner's.
   */
  ensureTopics?: { partitions: number }
}

/** Options of one handler, beside Fastify's own of its route; what is absent is taken from the plugin's. */
export interface HandlerOptions extends DeliveryRouteOptions {
  /** Another consumer group than the service's own, e.g. for a projection. It confirms nothing and sends no signals. */
  group?: string
  retry?: Partial<RetryOptions>
  onExhausted?: 'hold' | 'refuse'
  timeoutMs?: number
  lockTimeoutMs?: number
}

/** Options of a handler of what stays unanswered; what is absent is taken from the plugin's. */
export type ReactionOptions = DeliveryRouteOptions & Pick<HandlerOptions, 'retry' | 'timeoutMs' | 'lockTimeoutMs'>

/** The plugin's options with all defaults. */
export type ParsedOptions = Omit<Static<typeof InboxSchema>, 'retry'> & { retry: RetryOptions }

/** A handler's options, filled up from the plugin's. */
export interface ParsedHandlerOptions {
  group: string
  retry: RetryOptions
  onExhausted: 'hold' | 'refuse'
  timeoutMs: number
  lockTimeoutMs: number
  route: DeliveryRouteOptions
}

/** @throws SF_OPTIONS_INVALID, SF_INBOX_GROUP_INVALID, SF_EVENTS_KEY_INVALID */
export function parseInboxOptions(given: unknown): ParsedOptions {
  const options = parseOptions('@steadfast/inbox', InboxSchema, given)
  const retry = parseOptions('@steadfast/inbox, retry', RetrySchema, options.retry)
  if (options.group !== undefined) checkGroup(options.group)
  for (const keys of Object.values(options.verify?.keys ?? {}))
    for (const [keyId, key] of Object.entries(keys)) checkKey('verify', keyId, key, 'public')
  return { ...options, retry }
}

/** @throws SF_OPTIONS_INVALID, SF_INBOX_GROUP_INVALID */
export function parseHandlerOptions(given: unknown, plugin: ParsedOptions, group: string): ParsedHandlerOptions {
  const {
    retry,
    group: own,
    onExhausted,
    timeoutMs,
    lockTimeoutMs,
    ...route
  } = parseOptions('onEvent', HandlerSchema, given)
  return {
    // Fastify checks them.
    route: route as DeliveryRouteOptions,
    group: checkGroup(own ?? group),
    retry: retry ? parseOptions('onEvent, retry', RetrySchema, { ...plugin.retry, ...retry }) : plugin.retry,
    onExhausted: onExhausted ?? plugin.onExhausted,
    timeoutMs: timeoutMs ?? plugin.timeoutMs,
    lockTimeoutMs: lockTimeoutMs ?? plugin.lockTimeoutMs
  }
}

/** @throws SF_OPTIONS_INVALID */
export function parseReactionOptions(given: unknown, plugin: ParsedOptions, group: string): ParsedHandlerOptions {
  const { retry, ...options } = parseOptions('onUnanswered', ReactionSchema, given)
  return {
    ...parseHandlerOptions({ ...options, ...(retry && { retry }) }, plugin, group),
    // Nobody else would be told of a refusal.
    onExhausted: 'hold'
  }
}

/** @throws SF_INBOX_GROUP_INVALID */
export function checkGroup(group: string): string {
  // Reconciliation has it in its paths, where Fastify takes 100 characters.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(group)) throw new InvalidGroup(group)
  return group
}
