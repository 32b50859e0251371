import { differences } from '../differences.ts'
import type { Connection } from '../lane.ts'
import type { EventModel, Moving } from './model.ts'

/** A row of the outbox as it is. */
export type EventRow = { id: string; seq: string } & Record<keyof Moving, unknown>

export interface Rows {
  events: EventRow[]
  audit: string[]
}

const TIMES = ['deadline', 'give_up_at', 'created_at', 'published_at', 'last_sent_at', 'confirmed_at', 'updated_at']
const PLAIN = ['status', 'due', 'replay', 'count', 'confirmed_by', 'park_reason']
const columns = [...PLAIN, ...TIMES.map(c => `(extract(epoch from ${c}) * 1000)::float8 as ${c}`)].join(', ')

/** Reads everything in one statement. */
export async function readRows({ db, prepared }: Connection): Promise<Rows> {
  const s = db.schema
  const [row] = await prepared<Rows>(
    'rows',
    `select (select coalesce(json_agg(e), '[]') from (select id, seq::text, ${columns} from ${s}.event order by event.seq) e) as events,
       (select coalesce(json_agg(concat_ws(' ', actor, action, event_id) order by id), '[]') from ${s}.audit) as audit`
  )
  return row ?? { events: [], audit: [] }
}

/** Compares all rows with the model, in the order of `seq`. */
export function compareRows(model: EventModel, rows: Rows): string[] {
  const [want, have] = [model.events.map(e => e.id), rows.events.map(e => e.id)]
  if (want.join() !== have.join()) return [`the events by seq are [${have}], expected [${want}]`]
  const found = model.events.flatMap((event, i) => {
    const row = rows.events[i] as EventRow
    event.seq = row.seq
    return differences(event.id, event.row, row)
  })
  const audit = [[...rows.audit].sort().join(' · '), [...model.audit].sort().join(' · ')]
  if (audit[0] !== audit[1]) found.push(`the audit is [${audit[0]}], expected [${audit[1]}] (invariant 14)`)
  return found
}
