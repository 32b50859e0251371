import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { InvalidContract } from './errors.ts'
import { CENTURY_MS } from './options.ts'

/** What a request expects back, and how long it waits. Frozen into the event's row when it is sent. */
export interface Awaits {
  /** The source whose answer confirms the event. */
  from: string
  /** `true`: the consumer's inbox confirms by a receipt, because no business answer exists. Default false. */
  receipt?: boolean
  /** First deadline in ms; doubles with each resend. Default: the outbox's `confirmWithinMs`. */
  confirmWithinMs?: number
  /** Factor between one deadline and the next. 1 keeps it fixed. Default: the outbox's `resendBackoff`. */
  resendBackoff?: number
  /** Sends in all, resends included. Default: the outbox's `maxSends`. */
  maxSends?: number
  /** After so many ms, progress signals extend nothing any more. Default: the outbox's `giveUpAfterMs`. */
  giveUpAfterMs?: number
}

/**
 * What `defineEvent` takes.
 *
 * The variance is stated because it is known: to find it, the compiler would compare what TypeBox makes of every schema
 * there could be, anew in each package, which took two thirds of the time of all type checks.
 */
export interface EventDefinition<in out S extends TSchema = TSchema, T extends string = string> {
  /** CloudEvents `type`, e.g. `market.deployment.requested`: any text of 1 to 255 characters without control characters. */
  type: T
  /** The topic the event is published to. */
  topic: string
  /** TypeBox schema of the data. */
  data: S
  /** The key whose order is kept. Default: the event's own id (no order with others). */
  key?: (data: Static<S>) => string
  /** Version of the data's form; travels as `dataversion`. */
  dataVersion?: string
  /** The event waits to be confirmed by an answer. Absent: it is finished once the broker has it. */
  awaits?: Awaits
  /** The contract this event answers: its arrival at the asker confirms the asker's event. */
  answers?: AnyEventContract
  /**
   * The sources this event may come from; from others it is refused before its handler runs. Default: for an answer, whom
   * the answered contract awaits it from; otherwise anybody.
   */
  from?: string | readonly string[]
}

/** A contract both sides share: what an event is, where it goes, what answers it. Made by {@link defineEvent}. */
export interface EventContract<in out S extends TSchema = TSchema, T extends string = string>
  extends EventDefinition<S, T> {
  /** `undefined` when the data fits the schema, else what is wrong, in words. No coercion, no defaults. */
  refusal(data: unknown): string | undefined
}

/** Some contract, whatever its data are: contracts are invariant in them. */
// biome-ignore lint/suspicious/noExplicitAny: no other argument of an invariant parameter fits all
export type AnyEventContract = EventContract<any, string>

/** The data type of a contract. */
export type EventData<C> = C extends EventContract<infer S, string> ? Static<S> : never

// What CloudEvents allows: others have types such as `com.example/Person$Told`.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is kept out
const TYPE = /^[^\u0000-\u001f\u007f-\u009f]{1,255}$/u
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/

/**
 * Declares an event: its type, topic, key and data, whom it awaits an answer from, which contract it answers.
 *
 * @throws SF_EVENTS_CONTRACT_INVALID
 */
export function defineEvent<const S extends TSchema, const T extends string>(
  definition: EventDefinition<S, T>
): EventContract<S, T> {
  const { type, topic, awaits } = definition
  if (typeof type !== 'string' || !TYPE.test(type) || /\p{Surrogate}/u.test(type))
    throw new InvalidContract(
      String(type),
      'type must be a text of 1 to 255 characters, none of them a control character'
    )
  if (type.startsWith('steadfast.')) throw new InvalidContract(type, 'types that begin with "steadfast." are reserved')
  return buildContract(definition, topic, awaits)
}

/** As {@link defineEvent}, without the reservation of `steadfast.*`. For Steadfast's own signals. */
export function buildContract<S extends TSchema, T extends string>(
  definition: EventDefinition<S, T>,
  topic: string = definition.topic,
  awaits: Awaits | undefined = definition.awaits
): EventContract<S, T> {
  const { type } = definition
  if (typeof topic !== 'string' || !NAME.test(topic)) throw new InvalidContract(type, `topic must match ${NAME}`)
  if (typeof definition.data !== 'object' || definition.data === null)
    throw new InvalidContract(type, 'data must be a TypeBox schema')
  if (awaits !== undefined) checkAwaits(type, awaits)
  if (definition.from !== undefined) checkFrom(type, definition.from)
  const validator = Compile(definition.data)
  return Object.freeze({
    ...definition,
    refusal(data: unknown): string | undefined {
      try {
        if (validator.Check(data)) return undefined
        const [error] = validator.Errors(data)
        return `${error?.instancePath === '' ? 'data' : error?.instancePath} ${error?.message ?? 'is invalid'}`
      } catch (error) {
        // A recursive schema is checked by recursion.
        if (error instanceof RangeError) return 'data is nested too deeply'
        throw error
      }
    }
  })
}

/** The sources that an event of a contract may come from; `undefined`: any. */
export function sendersOf({ from, answers }: Pick<EventContract, 'from' | 'answers'>): readonly string[] | undefined {
  const senders = from ?? answers?.awaits?.from
  return typeof senders === 'string' ? [senders] : senders
}

function checkFrom(type: string, from: string | readonly string[]): void {
  const senders: readonly unknown[] = typeof from === 'string' ? [from] : from
  if (!Array.isArray(senders) || senders.length === 0 || senders.some(name => typeof name !== 'string' || name === ''))
    throw new InvalidContract(type, 'from must name a source, or a list of sources')
}

function checkAwaits(type: string, awaits: Awaits): void {
  if (typeof awaits.from !== 'string' || awaits.from === '')
    throw new InvalidContract(type, 'awaits.from must name a source')
  const { confirmWithinMs = 1, maxSends = 1, giveUpAfterMs = 1, resendBackoff = 1 } = awaits
  const integer = (name: string, value: number, maximum: number) => {
    if (!Number.isInteger(value) || value < 1 || value > maximum)
      throw new InvalidContract(type, `awaits.${name} must be a positive integer, at most ${maximum}`)
  }
  integer('confirmWithinMs', confirmWithinMs, 2 ** 31 - 1)
  integer('maxSends', maxSends, 2 ** 31 - 1)
  integer('giveUpAfterMs', giveUpAfterMs, CENTURY_MS)
  if (!(resendBackoff >= 1 && resendBackoff <= 1000))
    throw new InvalidContract(type, 'awaits.resendBackoff must be at least 1 and at most 1000')
}
