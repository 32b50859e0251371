import { countEvents, getEvent, listEvents, resendEvent, resolveEvent, storyOf } from '@steadfast/store/internal'
import { Type } from 'typebox'
import { askPeer } from '../ask-peer.ts'
import type { Context, Server } from '../context.ts'
import { EventErased, EventUnfit, EventUnknown } from '../errors.ts'
import { eventFilterOf, pageOf } from '../filters.ts'
import { actorOf } from '../guard.ts'
import {
  AuditRow,
  DeliveryRow,
  Done,
  EVENT_FILTER,
  EventRow,
  FateRow,
  Fates,
  Instant,
  Limit,
  Note,
  NullableText,
  oneOf,
  page,
  Uuid
} from '../schemas.ts'
import { showEvent } from '../show-data.ts'

const ById = Type.Object({ id: Uuid })

const Query = Type.Object(
  {
    ...EVENT_FILTER,
    after: Type.Optional(Uuid),
    limit: Type.Optional(Limit),
    order: Type.Optional(oneOf('newest', 'oldest'))
  },
  { additionalProperties: false }
)

const PeerFate = Type.Union([
  Type.Null(),
  Type.Object({ peer: Type.String(), reachable: Type.Literal(true), consumer: Type.String(), fate: FateRow }),
  Type.Object({
    peer: Type.String(),
    reachable: Type.Literal(false),
    error: Type.Object({ code: Type.String(), message: Type.String() })
  })
])

const Story = Type.Object({
  event: Type.Object({
    ...EventRow.properties,
    // Both are left out where `payloadHidden` says so.
    payload: Type.Optional(NullableText),
    headers: Type.Optional(Type.Record(Type.String(), Type.String())),
    payloadHidden: Type.Boolean()
  }),
  answers: Type.Array(DeliveryRow),
  causes: Type.Array(
    Type.Object({
      id: Type.String(),
      from: oneOf('event', 'inbox'),
      source: Type.String(),
      type: Type.String(),
      key: Type.String(),
      status: Type.String(),
      at: Instant
    })
  ),
  caused: Type.Array(EventRow),
  audit: Type.Array(AuditRow),
  fate: PeerFate
})

const Counts = Type.Object({
  events: Type.Record(Type.String(), Type.Integer()),
  due: Type.Integer(),
  oldestDueMs: Type.Union([Type.Number(), Type.Null()]),
  overdue: Type.Integer(),
  parked: Type.Array(Type.Object({ reason: Type.String(), count: Type.Integer() })),
  inbox: Type.Record(Type.String(), Type.Record(Type.String(), Type.Integer())),
  refusedAttempts: Type.Integer()
})

/** The list, the story and the counts of this service's own events. */
export function readEvents(server: Server, context: Context): void {
  const config = { reconciliation: 'read' } as const

  server.get(
    '/events',
    { config, schema: { summary: 'List events', querystring: Query, response: { 200: page(EventRow) } } },
    async ({ query: { after, limit = 50, order = 'newest', ...filter } }) => {
      const items = await context.read(db => listEvents(db, eventFilterOf(filter), { after, limit, order }))
      return pageOf(items, limit, event => event.id)
    }
  )

  server.get(
    '/events/:id',
    {
      config: { reconciliation: 'payload' },
      schema: { summary: "One event's whole story", params: ById, response: { 200: Story } }
    },
    async request => {
      const { id } = request.params
      const story = await context.read(db => storyOf(db, id))
      if (story === undefined) throw new EventUnknown(id)
      const event = await showEvent(context, request, story.event)
      return { ...story, event, fate: await fateAtPeer(context, story.event.awaitsFrom, story.event.id) }
    }
  )

  server.get(
    '/counts',
    { config, schema: { summary: 'Count events by status and deliveries by state', response: { 200: Counts } } },
    async () => ({ ...(await context.read(countEvents)), refusedAttempts: context.refusedAttempts() })
  )
}

/** What a person can do with one event. */
export function actOnEvents(server: Server, context: Context): void {
  const { db } = context

  server.post(
    '/events/:id/resend',
    {
      config: { reconciliation: 'resend' },
      schema: {
        summary: 'Send an event again, under the same id',
        params: ById,
        body: Type.Object({ note: Type.Optional(Note) }, { additionalProperties: false }),
        response: { 200: Done }
      }
    },
    async request => {
      const { id } = request.params
      const actor = actorOf(request)
      const outcome = await resendEvent(db, { id, actor, note: request.body.note })
      if (outcome !== 'resent') throw await unfit(context, id, 'sent again')
      context.acted({ action: 'resend', id, actor })
      return { outcome: 'done' } as const
    }
  )

  server.post(
    '/events/:id/resolve',
    {
      config: { reconciliation: 'resolve' },
      schema: {
        summary: 'Declare a parked event settled',
        params: ById,
        body: Type.Object({ note: Note }, { additionalProperties: false }),
        response: { 200: Done }
      }
    },
    async request => {
      const { id } = request.params
      const actor = actorOf(request)
      if (!(await resolveEvent(db, { id, actor, note: request.body.note }))) throw await unfit(context, id, 'resolved')
      context.acted({ action: 'resolve', id, actor })
      return { outcome: 'done' } as const
    }
  )
}

async function unfit({ db }: Context, id: string, deed: string): Promise<Error> {
  const event = await getEvent(db, id)
  if (event === undefined) return new EventUnknown(id)
  if (event.erasedAt !== null && deed === 'sent again') return new EventErased(id, deed)
  return new EventUnfit(id, deed, `${event.status}${event.due ? ' and due already' : ''}`)
}

async function fateAtPeer(context: Context, peer: string | null, id: string) {
  if (peer === null || !Object.hasOwn(context.peers, peer)) return null
  try {
    const { consumer, fates } = await askPeer(context, peer, '/fates', Fates, { ids: [id] })
    const [fate] = fates
    if (fate?.id !== id)
      throw Object.assign(new Error('answered for another event'), { code: 'SF_RECONCILIATION_PEER_UNAVAILABLE' })
    return { peer, reachable: true, consumer, fate } as const
  } catch (error) {
    const { code = 'UNKNOWN', message } = error as Error & { code?: string }
    return { peer, reachable: false, error: { code, message } } as const
  }
}
