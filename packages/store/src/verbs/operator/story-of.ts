import type { Db } from '../../db.ts'
import { type EventSummary, type StoredEvent, summaryColumns } from '../event/stored-event.ts'
import { consumers } from '../inbox/consumers.ts'
import { type DeliverySummary, deliverySummaryColumns } from '../inbox/delivery-summary.ts'
import { UNFINISHED } from '../inbox/get-delivery.ts'
import { getEvent } from './get-event.ts'
import { type AuditEntry, listAudit } from './list-audit.ts'

/** All that this service knows of one event. */
export interface EventStory {
  event: StoredEvent
  /** Answers that arrived here: the one that confirmed it, and any that is not finished, held or refused. */
  answers: DeliverySummary[]
  /** What led to it, nearest first: own events, and deliveries from others. */
  causes: EventCause[]
  /** What this service sent because of it. */
  caused: EventSummary[]
  /** The newest hundred, without who only looked. */
  audit: AuditEntry[]
}

/** One step of the way back from an event to its beginning. */
export interface EventCause {
  id: string
  /** Stated by this service, or delivered to it. */
  from: 'event' | 'inbox'
  source: string
  type: string
  key: string
  /** Status of the event, or state of the delivery. */
  status: string
  at: Date
}

const MOST = 100

/** One event's whole story at its sender; `undefined` when there is no such event. */
export async function storyOf(db: Db, id: string): Promise<EventStory | undefined> {
  const event = await getEvent(db, id)
  if (event === undefined) return undefined
  const answers = await answersTo(db, event)
  const causes = await causesOf(db, event.causationId)
  const caused = await db.rows<EventSummary>(
    `select ${summaryColumns('e')} from ${db.schema}.event e where e.causation_id = $1::uuid order by e.seq limit ${MOST}`,
    [id]
  )
  return { event, answers, causes, caused, audit: await listAudit(db, { eventId: id, deeds: true }, { limit: MOST }) }
}

// By the two partial indexes and the primary key: a row that is done can only be found by its id.
async function answersTo(db: Db, event: StoredEvent): Promise<DeliverySummary[]> {
  return db.rows(
    `with recursive ${consumers(db.schema)}
     select ${deliverySummaryColumns('i')} from consumers c join ${db.schema}.inbox i on i.consumer = c.name and i.event_id = $2::uuid
     union all
     (select ${deliverySummaryColumns('i')} from ${db.schema}.inbox i
      where i.causation_id = $1::uuid and i.event_id is distinct from $2::uuid
        and (i.state in ('HELD', 'REFUSED') or i.state in ${UNFINISHED}) limit ${MOST})
     order by arrival`,
    [event.id, event.confirmedBy]
  )
}

async function causesOf(db: Db, causationId: string | null): Promise<EventCause[]> {
  if (causationId === null) return []
  const s = db.schema
  return db.rows(
    `with recursive ${consumers(s)}, cause as (
       select 1 as step, $1::uuid as id
       union all
       select c.step + 1, coalesce(e.causation_id, (select i.causation_id from consumers k join ${s}.inbox i
         on i.consumer = k.name and i.event_id = c.id limit 1))
       from cause c left join ${s}.event e on e.id = c.id
       where c.step < 50 and c.id is not null
     )
     select k.id, k."from", k.source, k.type, k.key, k.status, k.at from cause c, lateral (
       select e.id, 'event' as "from", e.source, e.type, e.key, e.status, e.created_at as at from ${s}.event e where e.id = c.id
       union all
       (select i.event_id, 'inbox', i.source, i.type, i.key, i.state, i.received_at from consumers k
        join ${s}.inbox i on i.consumer = k.name and i.event_id = c.id limit 1)
     ) k order by c.step, k."from"`,
    [causationId]
  )
}
