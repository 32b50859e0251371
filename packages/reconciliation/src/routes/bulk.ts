import { listEvents, listInbox, reprocessDelivery, resendEvent, resolveEvent } from '@steadfast/store/internal'
import { Type } from 'typebox'
import { runBulk } from '../bulk.ts'
import type { Context, Server } from '../context.ts'
import { eventFilterOf, inboxFilterOf } from '../filters.ts'
import { actorOf } from '../guard.ts'
import { EVENT_FILTER, INBOX_FILTER, Note, NullableText, oneOf, Text, Uuid } from '../schemas.ts'

const Result = Type.Object({ done: Type.Integer(), skipped: Type.Integer(), next: NullableText })
// Without at least one condition a slip of the hand would mean everything; with an unknown one, too.
const narrow = { additionalProperties: false, minProperties: 1 }

/** The same deed on everything a filter finds, oldest first. */
export function bulkRoutes(server: Server, context: Context): void {
  const common = {
    note: Note,
    after: Type.Optional(Uuid),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: context.bulkLimit }))
  }

  server.post(
    '/events/bulk',
    {
      config: { reconciliation: 'by-action' },
      schema: {
        summary: 'Resend or resolve all events that a filter finds',
        body: Type.Object(
          {
            action: oneOf('resend', 'resolve'),
            filter: Type.Object(EVENT_FILTER, narrow),
            ...common
          },
          { additionalProperties: false }
        ),
        response: { 200: Result }
      }
    },
    async request => {
      const { action, note, after, limit = context.bulkLimit } = request.body
      const actor = actorOf(request)
      const filter = { status: ['PARKED' as const], ...eventFilterOf(request.body.filter) }
      return runBulk({
        action,
        limit,
        after,
        list: page => context.read(db => listEvents(db, filter, { ...page, order: 'oldest' })),
        idOf: event => event.id,
        async act(id) {
          const deed = { id, actor, note }
          const done =
            action === 'resend'
              ? (await resendEvent(context.db, deed)) === 'resent'
              : await resolveEvent(context.db, deed)
          if (done) context.acted({ action, id, actor })
          return done
        },
        abandoned: () => request.raw.socket.destroyed
      })
    }
  )

  server.post(
    '/inbox/bulk',
    {
      config: { reconciliation: 'by-action' },
      schema: {
        summary: 'Reprocess all deliveries that a filter finds',
        body: Type.Object(
          {
            action: Type.Literal('reprocess'),
            consumer: Type.Optional(Text),
            filter: Type.Object(INBOX_FILTER, narrow),
            ...common
          },
          { additionalProperties: false }
        ),
        response: { 200: Result }
      }
    },
    async request => {
      const { action, consumer = context.consumer, note, after, limit = context.bulkLimit } = request.body
      const actor = actorOf(request)
      const filter = { state: ['HELD' as const], ...inboxFilterOf(consumer, request.body.filter) }
      return runBulk({
        action,
        limit,
        after,
        list: page => context.read(db => listInbox(db, filter, { ...page, order: 'oldest' })),
        idOf: delivery => delivery.eventId,
        async act(id) {
          const done = await reprocessDelivery(context.db, { consumer, eventId: id, actor, note })
          if (done) context.acted({ action, id, actor, consumer })
          return done
        },
        abandoned: () => request.raw.socket.destroyed
      })
    }
  )
}
