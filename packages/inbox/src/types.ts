import type { EventEnvelope, LogSampler, Subscription } from '@steadfast/events'
import type {} from '@steadfast/events/fastify'
import type { TransactionControl } from '@steadfast/outbox'
import type { Db, DeliveryError, NewDelivery, Replay, Unanswered, UnknownCount } from '@steadfast/store/internal'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { Breaker } from './breaker.ts'
import type { KeyChains } from './key-chains.ts'
import type { ParsedOptions } from './options.ts'
import type { Handler, Registry } from './registry.ts'
import type { SlowTypes } from './slow-types.ts'

/** What the inbox uses of the plugins registered before it. */
export type Host = Pick<FastifyInstance, 'outbox' | 'transport'>

/** What all groups of a service share. */
export interface Runtime {
  fastify: FastifyInstance
  host: Host
  options: ParsedOptions
  schema: string
  /** The group that confirms events and sends signals. */
  group: string
  registry: Registry
  /** So many handlers may run at a time, in all groups. */
  concurrency: number
  /** Sees to that. */
  limit: <T>(task: () => Promise<T>) => Promise<T>
  parseJson: (text: string) => unknown
  /** Aborted when the server closes. */
  closing: AbortSignal
  /** Runs that are under way, in all groups. */
  active: Set<DeliveryContext>
}

/** One consumer group at work. */
export interface Consumer extends Runtime {
  readonly name: string
  /** Whether it confirms events and sends signals: only the service's own group does. */
  readonly isOwn: boolean
  /** The inbox outside a handler's transaction. */
  readonly db: Db
  readonly log: FastifyBaseLogger
  readonly breaker: Breaker
  readonly chains: KeyChains
  readonly slowTypes: SlowTypes
  readonly membership: Membership
  /** The last one came to nothing, since its record was known: the log is read again, and others may be, too. */
  isRereading: boolean
  /** Deliveries that were set aside and run now: id and type. */
  readonly retrying: Map<string, string>
  /** Set-aside deliveries that met a wrong world while others got through, and how often. */
  readonly alone: Map<string, number>
  /** Types whose handlers asked to wait for longer than they are let. */
  readonly longWaits: Set<string>
  readonly replays: Replays
  readonly running: Set<Promise<unknown>>
  /** Types that were left for a process that knows them: each is told of once. */
  readonly unknownTypes: Set<string>
  /** What the group leaves for a process that knows it, as of the last look. */
  readonly left: { count?: UnknownCount; countedAt: number }
  /** Whether a line about a refusal of a source is written. */
  readonly refusalLines: LogSampler
  /** Sources of which it was said that signals are not sent where they ask for them. */
  readonly warned: Set<string>
  subscription: Subscription | undefined
  /** A look for replays that is on its way: there is one at a time. */
  looking: Promise<void> | undefined
}

/**
 * Whether a group's member is there. A process whose database is away must not keep its partitions: others of the service
 * may have one that answers.
 */
export interface Membership {
  /** The group was paused: if that lasts, it is left. */
  watch(): void
  /** The group goes on. */
  calm(): void
  hasLeft(): boolean
  /** Resolves when nothing changes any more, after the server began to close. */
  settled(): Promise<void>
}

/** The replays of one group, as this process knows them. */
export interface Replays {
  /** Looks for one, rewinds this process's part of the log once for each of its passes, and takes it to its end. */
  look(consumer: Consumer): Promise<void>
  /** The replay that runs now. */
  readonly current: Replay | undefined
}

/** The event at hand, as a handler sees it: `request.event`. */
export interface DeliveredEvent extends EventEnvelope {
  /** The data exactly as they came. */
  readonly raw: string
  /** When the log took the message. */
  deliveredAt: Date
  topic: string
  /** Where it stands in the log. */
  position: string
  /** What has become of the request that `onUnanswered` tells of. */
  unanswered?: Unanswered
  /** An answer: the handler of `onUnanswered` has run for the request that it answers. */
  afterUnanswered?: boolean
}

/** What is on its way to a handler: fresh from the transport, or out of the inbox again. */
export interface Item {
  /** Becomes another one when the id turns out to be another event's. */
  row: NewDelivery
  raw: Buffer
  placeId(): string
  data: unknown
  deliveredAt: Date
  handler: Handler
  /** Out of the inbox again: how many of its failures count, and how often it alone has met a wrong world. */
  stored?: { attempts: number; alone: number }
}

/** One run of a delivery through its route, from `inject` to the outcome. */
export interface DeliveryContext {
  consumer: Consumer
  item: Item
  /** The constraint has let it in: it lets nothing else in. */
  routed: boolean
  raw?: { destroy(): void }
  /** What the handler is given: the item's data, opened. */
  data?: unknown
  /** How far it came: it is in, or before, these hooks · the inbox's own statements · the handler. */
  stage: 'onRequest' | 'preValidation' | 'preHandler' | 'inbox' | 'handler'
  tx?: TransactionControl
  /** What ended without the handler: see `handle.ts`. */
  ended?: 'duplicate' | 'blocked' | 'lost' | 'skipped' | undefined
  /** The first error that Fastify saw. */
  error?: unknown
  status?: number
  afterUnanswered?: boolean
  replay?: Replay | undefined
  event?: DeliveredEvent
}

/** What one run of a delivery came to. */
export type Run =
  | { kind: 'done'; how: 'handled' | 'duplicate' | 'blocked' | 'lost' | 'skipped'; status: number }
  | { kind: 'verdict'; status: number; error: DeliveryError; alarm?: string; replay?: Replay | undefined }
  /** Its handler asks to be asked later. `cut`: it asked for more than an hour. */
  | {
      kind: 'wait'
      ms?: number
      cut?: string
      status: number
      error: DeliveryError
      replay?: Replay | undefined
    }
  /** Two transactions were in each other's way: `reached`, the handler's; else the inbox's own. */
  | { kind: 'again'; reached: boolean; status: number; error: DeliveryError; replay?: Replay | undefined }
  /** The database, or what stands before the handler, is wrong. `sure`: no need to look twice. */
  | { kind: 'world'; sure: boolean; error: DeliveryError }
  | { kind: 'failure'; status: number; error: DeliveryError; replay?: Replay | undefined }
  /** The server closes: not done, never failed. */
  | { kind: 'abandoned' }

export interface Response {
  statusCode: number
  headers: Record<string, unknown>
  payload: string
}

/** What became of a delivery. */
export interface Accepted {
  outcome:
    | 'handled'
    | 'duplicate'
    | 'blocked'
    | 'skipped'
    | 'refused'
    | 'set-aside'
    | 'ignored'
    | 'signal'
    | 'abandoned'
  eventId: string
  status?: number
  error?: DeliveryError
}

/** A delivery that has just arrived. */
export interface Fresh {
  row: NewDelivery
  raw: Buffer
  /** The id for a delivery whose own counts for nothing. */
  placeId(): string
}

/** Why a delivery is refused. `alarm`: a code of what a person must see. */
export interface Verdict {
  status: number
  error: DeliveryError
  alarm?: string | undefined
  /** Only if the patience with a delivery that this process does not know is over. Default false. */
  expired?: boolean
}
