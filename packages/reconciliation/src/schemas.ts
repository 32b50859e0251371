import { Type } from 'typebox'

// A Date in the handlers, RFC 3339 text on the wire.
export const Instant = Type.Unsafe<Date>({ type: 'string', format: 'date-time' })
export const NullableInstant = Type.Unsafe<Date | null>({
  anyOf: [{ type: 'string', format: 'date-time' }, { type: 'null' }]
})
export const NullableText = Type.Union([Type.String(), Type.Null()])
const NullableNumber = Type.Union([Type.Number(), Type.Null()])

export const Uuid = Type.String({
  pattern: '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$'
})
/** Text that PostgreSQL can take: anything but NUL. */
export const Text = Type.String({ minLength: 1, maxLength: 500, pattern: '^[^\\u0000]*$' })
/** A consumer in a path, where Fastify takes so many characters; the inbox allows no longer group. */
export const ConsumerInPath = Type.String({ minLength: 1, maxLength: 100, pattern: '^[^\\u0000]*$' })
/** A key as senders choose it; none is bounded but by the size of its event. */
export const Key = Type.String({ minLength: 1, maxLength: 10_000, pattern: '^[^\\u0000]*$' })
export const Note = Type.String({ minLength: 1, maxLength: 2000, pattern: '^[^\\u0000]*$' })
/** A moment in a query or body. A leap second is a date-time of RFC 3339, and none of JavaScript's. */
export const When = Type.String({ format: 'date-time', pattern: '^.{17}[0-5]' })
export const Limit = Type.Integer({ minimum: 1, maximum: 200 })
/** Positive bigint as text. */
export const Serial = Type.String({ pattern: '^[0-9]{1,18}$' })

/** One of a few words. */
export const oneOf = <const T extends string>(...words: readonly T[]) => Type.Unsafe<T>({ type: 'string', enum: words })

export const Status = oneOf('NEW', 'PUBLISHED', 'CONFIRMED', 'PARKED', 'RESOLVED')
export const State = oneOf('DONE', 'RETRY', 'BLOCKED', 'UNKNOWN', 'HELD', 'REFUSED')

export const EventRow = Type.Object({
  id: Type.String(),
  seq: Type.String(),
  lane: Type.Integer(),
  source: Type.String(),
  type: Type.String(),
  topic: Type.String(),
  key: Type.String(),
  dataVersion: NullableText,
  status: Status,
  due: Type.Boolean(),
  replay: Type.Boolean(),
  count: Type.Integer(),
  maxSends: Type.Integer(),
  awaitsFrom: NullableText,
  replyTo: NullableText,
  confirmWithinMs: NullableNumber,
  resendBackoff: NullableNumber,
  deadline: NullableInstant,
  giveUpAt: NullableInstant,
  causationId: NullableText,
  correlationId: Type.String(),
  isAnswer: Type.Boolean(),
  supersedes: NullableText,
  supersededBy: NullableText,
  createdAt: Instant,
  publishedAt: NullableInstant,
  lastSentAt: NullableInstant,
  confirmedAt: NullableInstant,
  confirmedBy: NullableText,
  updatedAt: Instant,
  failingSince: NullableInstant,
  topicUnavailableSince: NullableInstant,
  parkReason: NullableText,
  lastError: NullableText,
  erasedAt: NullableInstant,
  erasedHash: NullableText
})

export const DeliveryRow = Type.Object({
  consumer: Type.String(),
  eventId: Type.String(),
  arrival: Type.String(),
  state: State,
  key: Type.String(),
  topic: Type.String(),
  position: Type.String(),
  source: Type.String(),
  type: Type.String(),
  replyTo: NullableText,
  causationId: NullableText,
  correlationId: NullableText,
  outcome: Type.Integer(),
  attempts: Type.Integer(),
  dueAt: NullableInstant,
  error: Type.Unknown(),
  replayId: NullableText,
  receivedAt: Instant,
  updatedAt: Instant,
  erasedAt: NullableInstant,
  erasedHash: NullableText
})

export const AuditRow = Type.Object({
  id: Type.String(),
  at: Instant,
  actor: Type.String(),
  action: Type.String(),
  eventId: NullableText,
  consumer: NullableText,
  note: NullableText,
  details: Type.Unknown()
})

export const FateRow = Type.Object({
  id: Type.String(),
  fate: oneOf('absent', 'at-work', 'done', 'refused', 'held'),
  state: Type.Union([State, Type.Null()]),
  answers: Type.Array(
    Type.Object({ id: Type.String(), type: Type.String(), status: Type.String(), count: Type.Integer() })
  ),
  attempts: Type.Integer(),
  error: Type.Unknown(),
  receivedAt: NullableInstant,
  updatedAt: NullableInstant
})

/** The answer of `POST /fates`, which is also what a peer is expected to say. */
export const Fates = Type.Object({ consumer: Type.String(), fates: Type.Array(FateRow) })

/** The answer of `GET /received`, which is also what a peer is expected to say. */
export const Received = Type.Object({
  consumer: Type.String(),
  items: Type.Array(
    Type.Object({ id: Uuid, type: Type.String(), key: Type.String(), state: State, receivedAt: Instant })
  ),
  next: NullableText
})

export const Done = Type.Object({ outcome: Type.Literal('done') })

/** Which events, for lists and bulk actions. */
export const EVENT_FILTER = {
  status: Type.Optional(Type.Union([Status, Type.Array(Status, { minItems: 1, maxItems: 5 })])),
  type: Type.Optional(Text),
  key: Type.Optional(Text),
  source: Type.Optional(Text),
  awaitsFrom: Type.Optional(Text),
  parkReason: Type.Optional(Text),
  failing: Type.Optional(Type.Boolean()),
  correlationId: Type.Optional(Text),
  since: Type.Optional(When),
  until: Type.Optional(When),
  search: Type.Optional(Text)
}

/** Which deliveries, for lists and bulk actions. */
export const INBOX_FILTER = {
  state: Type.Optional(Type.Union([State, Type.Array(State, { minItems: 1, maxItems: 5 })])),
  type: Type.Optional(Text),
  key: Type.Optional(Text),
  source: Type.Optional(Text),
  search: Type.Optional(Text)
}

export const page = <T extends ReturnType<typeof Type.Object>>(row: T) =>
  Type.Object({ items: Type.Array(row), next: NullableText })
