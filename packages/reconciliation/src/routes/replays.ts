import { listAudit, listInbox, listReplays, startReplay, stopReplay } from '@steadfast/store'
import { Type } from 'typebox'
import { v7 as uuidv7 } from 'uuid'
import type { Context, Server } from '../context.ts'
import { ConsumerUnknown, RangeInvalid, ReplayUnknown } from '../errors.ts'
import { pageOf } from '../filters.ts'
import { actorOf } from '../guard.ts'
import { AuditRow, Done, Instant, Limit, Note, NullableInstant, page, Serial, Text, Uuid, When } from '../schemas.ts'

const REPLAY = {
  id: Type.String(),
  consumer: Type.String(),
  fromTime: Instant,
  untilTime: Instant,
  resendAnswers: Type.Boolean(),
  requestedBy: Type.String(),
  requestedAt: Instant,
  stoppedAt: NullableInstant
}

/** Running a stretch of the log through corrected handlers. */
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
            resendAnswers: Type.Optional(Type.Boolean()),
            note: Note
          },
          { additionalProperties: false }
        ),
        response: { 201: Type.Object(REPLAY) }
      }
    },
    async (request, reply) => {
      const { consumer = context.consumer, resendAnswers, note } = request.body
      const actor = actorOf(request)
      const from = new Date(request.body.from)
      const until = request.body.until === undefined ? undefined : new Date(request.body.until)
      if (from >= (until ?? new Date())) throw new RangeInvalid()
      // A misspelt consumer would make a replay that nobody ever runs.
      if (consumer !== context.consumer && (await listInbox(db, { consumer }, { limit: 1 })).length === 0)
        throw new ConsumerUnknown(consumer)
      const id = uuidv7()
      const replay = await startReplay(db, { id, consumer, from, until, resendAnswers, actor, note })
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
        response: { 200: page(Type.Object({ ...REPLAY, done: Type.Integer() })) }
      }
    },
    async ({ query: { after, limit = 50 } }) => {
      const items = await context.read(reading => listReplays(reading, { after, limit }))
      return pageOf(items, limit, replay => replay.id)
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
