import { listAudit, listInbox, listReplayItems, listReplays, startReplay, stopReplay } from '@steadfast/store/internal'
import { Type } from 'typebox'
import { v7 as uuidv7 } from 'uuid'
import type { Context, Server } from '../context.ts'
import { AnswersInvalid, ConsumerUnknown, NoReplay, RangeInvalid, ReplayUnknown } from '../errors.ts'
import { pageOf } from '../filters.ts'
import { actorOf } from '../guard.ts'
import {
  AuditRow,
  Done,
  Instant,
  Limit,
  Note,
  NullableInstant,
  oneOf,
  page,
  Serial,
  Text,
  Uuid,
  When
} from '../schemas.ts'

const ANSWERS = oneOf('none', 'stored', 'corrected')
const REPLAY = {
  id: Type.String(),
  consumer: Type.String(),
  fromTime: Instant,
  untilTime: Instant,
  answers: ANSWERS,
  state: oneOf('waiting', 'running', 'ended', 'stopped'),
  total: Type.Integer(),
  requestedBy: Type.String(),
  requestedAt: Instant,
  stoppedAt: NullableInstant,
  endedAt: NullableInstant
}
const COUNTED = Type.Object({
  ...REPLAY,
  done: Type.Integer(),
  failed: Type.Integer(),
  left: Type.Integer(),
  missing: Type.Integer()
})

const ITEM_STATE = oneOf('DONE', 'FAILED', 'LEFT')
const ITEM = Type.Object({
  eventId: Type.String(),
  state: ITEM_STATE,
  type: Type.String(),
  key: Type.String(),
  topic: Type.String(),
  position: Type.String(),
  error: Type.Unknown(),
  receivedAt: Instant,
  at: NullableInstant
})

/** Running finished deliveries through corrected handlers. */
export function replayRoutes(server: Server, context: Context): void {
  const { db } = context

  server.post(
    '/replays',
    {
      config: { reconciliation: 'replay' },
      schema: {
        summary: "Run a consumer's finished deliveries of a stretch of time through its handlers again",
        body: Type.Object(
          {
            consumer: Type.Optional(Text),
            from: When,
            until: Type.Optional(When),
            answers: Type.Optional(ANSWERS),
            note: Note
          },
          { additionalProperties: false }
        ),
        response: { 201: Type.Object(REPLAY) }
      }
    },
    async (request, reply) => {
      const { consumer = context.consumer, answers = 'none', note } = request.body
      const actor = actorOf(request)
      const from = new Date(request.body.from)
      const until = request.body.until === undefined ? undefined : new Date(request.body.until)
      if (from >= (until ?? new Date())) throw new RangeInvalid()
      // Answers are the service's own; another group of it only handles.
      if (consumer !== context.consumer && answers !== 'none') throw new AnswersInvalid(consumer, context.consumer)
      // A misspelt consumer would make a replay that nobody ever runs.
      if (consumer !== context.consumer && (await listInbox(db, { consumer }, { limit: 1 })).length === 0)
        throw new ConsumerUnknown(consumer)
      const id = uuidv7()
      const replay = await startReplay(db, { id, consumer, from, until, answers, actor, note })
      context.acted({ action: 'replay', id, actor, consumer })
      return reply.code(201).send(replay)
    }
  )

  server.get(
    '/replays',
    {
      config: { reconciliation: 'read' },
      schema: {
        summary: 'List replays',
        querystring: Type.Object(
          { after: Type.Optional(Uuid), limit: Type.Optional(Limit) },
          { additionalProperties: false }
        ),
        response: { 200: page(COUNTED) }
      }
    },
    async ({ query: { after, limit = 50 } }) => {
      const items = await context.read(reading => listReplays(reading, {}, { after, limit }))
      return pageOf(items, limit, replay => replay.id)
    }
  )

  server.get(
    '/replays/:id',
    {
      config: { reconciliation: 'read' },
      schema: { summary: 'How a replay stands', params: Type.Object({ id: Uuid }), response: { 200: COUNTED } }
    },
    async ({ params: { id } }) => {
      const [replay] = await context.read(reading => listReplays(reading, { id }, { limit: 1 }))
      if (replay === undefined) throw new NoReplay(id)
      return replay
    }
  )

  server.get(
    '/replays/:id/items',
    {
      config: { reconciliation: 'read' },
      schema: {
        summary: "A replay's deliveries, and what became of each",
        params: Type.Object({ id: Uuid }),
        querystring: Type.Object(
          {
            state: Type.Optional(ITEM_STATE),
            after: Type.Optional(Uuid),
            limit: Type.Optional(Limit)
          },
          { additionalProperties: false }
        ),
        response: { 200: page(ITEM) }
      }
    },
    async ({ params: { id }, query: { state, after, limit = 50 } }) => {
      const items = await context.read(reading => listReplayItems(reading, { replayId: id, state }, { after, limit }))
      return pageOf(items, limit, item => item.eventId)
    }
  )

  server.post(
    '/replays/:id/stop',
    {
      config: { reconciliation: 'replay' },
      schema: {
        summary: 'Stop a replay',
        params: Type.Object({ id: Uuid }),
        body: Type.Object({ note: Type.Optional(Note) }, { additionalProperties: false }),
        response: { 200: Done }
      }
    },
    async request => {
      const { id } = request.params
      const actor = actorOf(request)
      if (!(await stopReplay(db, { id, actor, note: request.body.note }))) throw new ReplayUnknown(id)
      context.acted({ action: 'stop-replay', id, actor })
      return { outcome: 'done' } as const
    }
  )
}

/** Who did what. */
export function auditRoutes(server: Server, context: Context): void {
  server.get(
    '/audit',
    {
      config: { reconciliation: 'read' },
      schema: {
        summary: 'List what people did, newest first',
        querystring: Type.Object(
          {
            eventId: Type.Optional(Uuid),
            actor: Type.Optional(Text),
            action: Type.Optional(Text),
            after: Type.Optional(Serial),
            limit: Type.Optional(Limit)
          },
          { additionalProperties: false }
        ),
        response: { 200: page(AuditRow) }
      }
    },
    async ({ query: { after, limit = 50, ...filter } }) => {
      const items = await context.read(db => listAudit(db, filter, { after, limit }))
      return pageOf(items, limit, entry => entry.id)
    }
  )
}
