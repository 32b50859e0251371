import { fatesOf, receivedSince } from '@steadfast/store/internal'
import { Type } from 'typebox'
import { CLASSES, type Class } from '../classify.ts'
import { compareLedgers } from '../compare-ledgers.ts'
import type { Context, Server } from '../context.ts'
import { pageOf } from '../filters.ts'
import {
  FateRow,
  Fates,
  Instant,
  Limit,
  NullableInstant,
  NullableText,
  oneOf,
  Received,
  Text,
  Uuid,
  When
} from '../schemas.ts'

const Divergence = Type.Object({
  id: Type.String(),
  class: oneOf(...CLASSES),
  type: Type.String(),
  key: Type.String(),
  /** `null` for an effect without an event. */
  status: NullableText,
  reason: NullableText,
  createdAt: NullableInstant,
  receivedAt: NullableInstant,
  fate: Type.Union([FateRow, Type.Null()]),
  actions: Type.Array(
    Type.Object({ action: Type.String(), at: Type.String(), method: Type.Literal('POST'), path: Type.String() })
  )
})

const Comparison = Type.Object({
  peer: Type.String(),
  since: Instant,
  counts: Type.Unsafe<Record<Class, number>>(
    Type.Object(Object.fromEntries(CLASSES.map(name => [name, Type.Integer()])))
  ),
  items: Type.Array(Divergence),
  next: NullableText
})

/** Questions of one ledger to another. */
export function compareRoutes(server: Server, context: Context): void {
  server.post(
    '/fates',
    {
      config: { reconciliation: 'fates' },
      schema: {
        summary: 'What became of events here',
        body: Type.Object(
          { ids: Type.Array(Uuid, { minItems: 1, maxItems: 200 }), consumer: Type.Optional(Text) },
          { additionalProperties: false }
        ),
        response: { 200: Fates }
      }
    },
    async ({ body: { ids, consumer = context.consumer } }) => {
      return { consumer, fates: await context.read(db => fatesOf(db, { consumer, ids })) }
    }
  )

  server.get(
    '/received',
    {
      config: { reconciliation: 'fates' },
      schema: {
        summary: 'What arrived here from one source, by id',
        querystring: Type.Object(
          {
            source: Text,
            since: When,
            consumer: Type.Optional(Text),
            after: Type.Optional(Uuid),
            limit: Type.Optional(Limit)
          },
          { additionalProperties: false }
        ),
        response: { 200: Received }
      }
    },
    async ({ query: { source, since, consumer = context.consumer, after, limit = 200 } }) => {
      const range = { consumer, source, since: new Date(since) }
      const items = await context.read(db => receivedSince(db, range, { after, limit }))
      return { consumer, ...pageOf(items, limit, event => event.id) }
    }
  )

  server.get(
    '/compare',
    {
      config: { reconciliation: 'read' },
      schema: {
        summary: "Compare this service's requests with what a peer received",
        querystring: Type.Object(
          {
            peer: Text,
            since: When,
            until: Type.Optional(When),
            after: Type.Optional(Uuid),
            limit: Type.Optional(Limit),
            show: Type.Optional(oneOf('divergent', 'all'))
          },
          { additionalProperties: false }
        ),
        response: { 200: Comparison }
      }
    },
    ({ query: { peer, since, until, after, limit = 200, show = 'divergent' } }) =>
      compareLedgers(context, {
        peer,
        since: new Date(since),
        until: until === undefined ? undefined : new Date(until),
        after,
        limit,
        all: show === 'all'
      })
  )
}
