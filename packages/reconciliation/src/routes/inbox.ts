import { buildEvent, laneOf, RefusedSignal } from '@steadfast/events'
import {
  type Db,
  getDelivery,
  listInbox,
  type ReleasedDelivery,
  releaseDelivery,
  reprocessDelivery,
  storyOfDelivery,
  writeEvents
} from '@steadfast/store/internal'
import { Type } from 'typebox'
import type { Context, Server } from '../context.ts'
import { DeliveryErased, DeliveryUnfit, DeliveryUnknown, NoInbox } from '../errors.ts'
import { inboxFilterOf, pageOf } from '../filters.ts'
import { actorOf } from '../guard.ts'
import {
  AuditRow,
  ConsumerInPath,
  DeliveryRow,
  Done,
  EventRow,
  INBOX_FILTER,
  Limit,
  Note,
  oneOf,
  page,
  Text,
  Uuid
} from '../schemas.ts'
import { showDelivery } from '../show-data.ts'

const ByConsumer = Type.Object({ consumer: ConsumerInPath, id: Uuid })

const Query = Type.Object(
  {
    ...INBOX_FILTER,
    consumer: Type.Optional(Text),
    after: Type.Optional(Uuid),
    limit: Type.Optional(Limit),
    order: Type.Optional(oneOf('newest', 'oldest'))
  },
  { additionalProperties: false }
)

const Story = Type.Object({
  delivery: Type.Object({
    ...DeliveryRow.properties,
    envelope: Type.Unknown(),
    // The bytes as they came: as text when they are UTF-8, else in base64. Left out where `payloadHidden` says so.
    body: Type.Optional(
      Type.Union([Type.Null(), Type.Object({ encoding: oneOf('utf8', 'base64'), data: Type.String() })])
    ),
    payloadHidden: Type.Boolean()
  }),
  caused: Type.Array(EventRow),
  audit: Type.Array(AuditRow)
})

/** The list and the stories of what arrived here. */
export function readInbox(server: Server, context: Context): void {
  const config = { reconciliation: 'read' } as const

  server.get(
    '/inbox/lag',
    {
      config,
      schema: {
        summary: 'How many messages the groups of this service have not done yet',
        response: { 200: Type.Object({ lag: Type.Integer() }) }
      }
    },
    async () => {
      const lag = await context.lag()
      if (lag === undefined) throw new NoInbox()
      return { lag: Number(lag) }
    }
  )

  server.get(
    '/inbox',
    { config, schema: { summary: 'List deliveries', querystring: Query, response: { 200: page(DeliveryRow) } } },
    async ({ query: { consumer = context.consumer, after, limit = 50, order = 'newest', ...filter } }) => {
      const items = await context.read(db => listInbox(db, inboxFilterOf(consumer, filter), { after, limit, order }))
      return pageOf(items, limit, delivery => delivery.eventId)
    }
  )

  server.get(
    '/inbox/:consumer/:id',
    {
      config: { reconciliation: 'payload' },
      schema: { summary: "One delivery's whole story", params: ByConsumer, response: { 200: Story } }
    },
    async request => {
      const { consumer, id } = request.params
      const story = await context.read(db => storyOfDelivery(db, consumer, id))
      if (story === undefined) throw new DeliveryUnknown(id, consumer)
      return { ...story, delivery: await showDelivery(context, request, story.delivery) }
    }
  )
}

/** What a person can do with one delivery. */
export function actOnInbox(server: Server, context: Context): void {
  server.post(
    '/inbox/:consumer/:id/reprocess',
    {
      config: { reconciliation: 'reprocess' },
      schema: {
        summary: 'Let the handler run again on a held or refused delivery, or on one whose type no process knows',
        params: ByConsumer,
        body: Type.Object({ note: Type.Optional(Note) }, { additionalProperties: false }),
        response: { 200: Done }
      }
    },
    async request => {
      const { consumer, id } = request.params
      const actor = actorOf(request)
      const deed = { consumer, eventId: id, actor, note: request.body.note }
      if (!(await reprocessDelivery(context.db, deed))) throw await unfit(context, consumer, id, 'reprocessed')
      context.acted({ action: 'reprocess', id, actor, consumer })
      return { outcome: 'done' } as const
    }
  )

  server.post(
    '/inbox/:consumer/:id/release',
    {
      config: { reconciliation: 'release' },
      schema: {
        summary:
          'Skip a delivery that is held, or whose type no process knows: it is refused with the note, and its key goes on',
        params: ByConsumer,
        body: Type.Object({ note: Note }, { additionalProperties: false }),
        response: { 200: Done }
      }
    },
    async request => {
      const { consumer, id } = request.params
      const actor = actorOf(request)
      const { note } = request.body
      // PostgreSQL cannot read half a surrogate pair in JSON.
      const message = note.replace(/\p{Surrogate}/gu, '\ufffd')
      const error = { status: 422, code: 'SF_RECONCILIATION_RELEASED', message }
      const released = await context.write(async db => {
        const delivery = await releaseDelivery(db, { consumer, eventId: id, actor, note, error })
        // Other groups than the service's own answer nobody: their failures are no verdict on the request.
        if (delivery !== undefined && consumer === context.consumer)
          await tellSender(db, context.source, consumer, delivery, error)
        return delivery !== undefined
      })
      if (!released) throw await unfit(context, consumer, id, 'released')
      context.acted({ action: 'release', id, actor, consumer })
      return { outcome: 'done' } as const
    }
  )
}

const TOPIC = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/

async function tellSender(
  db: Db,
  source: string,
  consumer: string,
  { eventId, replyTo, key, correlationId }: ReleasedDelivery,
  error: { status: number; code: string; message: string }
): Promise<void> {
  // The reply address is what a sender wrote: one that is no topic would only be in the relay's way.
  if (replyTo === null || !TOPIC.test(replyTo)) return
  const options = { inReplyTo: eventId, ...(correlationId === null ? {} : { correlationId }) }
  const signal = buildEvent(RefusedSignal, { eventId, consumer, ...error }, { source }, options)
  await writeEvents(db, [{ ...signal, topic: replyTo, key, lane: laneOf(key) }])
}

async function unfit({ db }: Context, consumer: string, id: string, deed: string): Promise<Error> {
  const delivery = await getDelivery(db, consumer, id)
  if (delivery === undefined) return new DeliveryUnknown(id, consumer)
  const name = `${id} at consumer ${consumer}`
  if (delivery.erasedAt !== null && deed === 'reprocessed') return new DeliveryErased(name, deed)
  const state = `${delivery.state}${delivery.body === null ? ' without its body' : ''}`
  return new DeliveryUnfit(name, deed, state)
}
