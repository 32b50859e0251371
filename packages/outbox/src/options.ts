import {
  CENTURY_MS,
  durationOption,
  EVENT_DEFAULTS,
  type EventContract,
  functionOption,
  instanceOption,
  LONGEST_MS,
  parseOptions,
  type Seal
} from '@steadfast/events'
import { poolOptions } from '@steadfast/events/postgres'
import { DEFAULT_SCHEMA } from '@steadfast/store/internal'
import type { Pool } from 'pg'
import { Type } from 'typebox'

/** A contract, whatever its data. */
export type AnyContract = Pick<EventContract, 'type' | 'topic' | 'refusal'>

/** Options of the outbox plugin. */
export interface OutboxOptions {
  /** The name of this service: CloudEvents `source` of what it sends. */
  source: string
  /** The contracts this service may send. Default none. */
  contracts?: readonly AnyContract[]
  /** Where connections come from, for the plugins after it as well: a pool of node-postgres, of yours. Default `fastify.pg.pool`. */
  pool?: Pool
  /** The same, by the name under which @fastify/postgres was registered. */
  pg?: string
  /** PostgreSQL schema of Steadfast's tables. Default `steadfast`. */
  schema?: string
  /** The topic where this service wants refusals, progress and receipts. Default `<source>.signals`. */
  replyTo?: string
  /** The largest payload in bytes. Default 900 KiB. */
  maxPayloadBytes?: number
  /**
   * Encrypts payloads: what it makes of one is what is stored and sent. The consumer's inbox has the way back, its option
   * `open`. Default: payloads are stored and sent as they are.
   */
  seal?: Seal
  /** First deadline in ms for an answer, where the contract names none. Default 2 minutes. */
  confirmWithinMs?: number
  /** Factor between one deadline and the next. Default 2. */
  resendBackoff?: number
  /** Sends in all, resends included. Default 6. */
  maxSends?: number
  /** After so many ms, progress extends no deadline any more. Default 24 hours. */
  giveUpAfterMs?: number
  /** PostgreSQL ends a session whose transaction idles for so many ms. Default: as the role has it. */
  idleInTransactionTimeoutMs?: number
  /**
   * PostgreSQL cancels a statement after so many ms, 0: never. Default: as the role has it. 5 s later the driver gives it up,
   * when the server is out of reach; where neither says anything, after 35 s.
   */
  statementTimeoutMs?: number
  /** How many ms a request waits for a connection before it is answered 503. Default 10 000. */
  connectTimeoutMs?: number
}

const positive = (fallback: number) => Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1, default: fallback })
const timeoutOption = (minimum: number) => Type.Integer({ minimum, maximum: LONGEST_MS })
const contract = instanceOption<AnyContract>('a contract made by defineEvent', ['refusal'])

/** What {@link OutboxOptions} are checked by. */
export const OutboxOptionsSchema = Type.Object({
  source: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$' }),
  contracts: Type.Unsafe<readonly AnyContract[]>(Type.Array(contract, { default: [] })),
  schema: Type.String({ default: DEFAULT_SCHEMA }),
  replyTo: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$' })),
  maxPayloadBytes: positive(EVENT_DEFAULTS.maxPayloadBytes),
  seal: Type.Optional(functionOption<Seal>()),
  confirmWithinMs: positive(EVENT_DEFAULTS.confirmWithinMs),
  resendBackoff: Type.Number({ minimum: 1, maximum: 1000, default: EVENT_DEFAULTS.resendBackoff }),
  maxSends: positive(EVENT_DEFAULTS.maxSends),
  giveUpAfterMs: Type.Integer({
    minimum: 1,
    maximum: CENTURY_MS,
    default: EVENT_DEFAULTS.giveUpAfterMs
  }),
  idleInTransactionTimeoutMs: Type.Optional(timeoutOption(1)),
  statementTimeoutMs: Type.Optional(timeoutOption(0)),
  connectTimeoutMs: durationOption(10_000),
  ...poolOptions<Pool>()
})

type Optional = 'pool' | 'pg' | 'seal' | 'idleInTransactionTimeoutMs' | 'statementTimeoutMs'

/** Options with every default filled in. */
export type Settings = Required<Omit<OutboxOptions, Optional>> & Pick<OutboxOptions, Optional>

/** @throws SF_OPTIONS_INVALID */
export function readOptions(given: OutboxOptions): Settings {
  const options = parseOptions('@steadfast/outbox', OutboxOptionsSchema, given)
  return { ...options, replyTo: options.replyTo ?? `${options.source}.signals` }
}
