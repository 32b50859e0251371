import type { Db } from '../../db.ts'
import type { DeliveryState } from '../inbox/get-delivery.ts'

/** What became of an event at its consumer. */
export type Fate = 'absent' | 'at-work' | 'done' | 'refused' | 'held'

/** The fate of one event, with what the consumer can say of it. */
export interface EventFate {
  id: string
  /**
   * `absent`: never arrived; `at-work`: accepted and not answered yet, or waiting for a retry; `done`: finished, and
   * answered where an answer is awaited; `refused`: a verdict; `held`: waits for a person.
   */
  fate: Fate
  state: DeliveryState | null
  answers: { id: string; type: string; status: string; count: number }[]
  attempts: number
  error: unknown
  receivedAt: Date | null
  updatedAt: Date | null
}

interface Row extends Omit<EventFate, 'fate' | 'state'> {
  state: DeliveryState
  awaited: boolean
}

/** The fates of events at one consumer of this service, in the order asked for. */
export async function fatesOf(
  db: Db,
  { consumer, ids }: { consumer: string; ids: readonly string[] }
): Promise<EventFate[]> {
  const rows = await db.rows<Row>(
    `select i.event_id as id, i.state, i.reply_to is not null as awaited, i.attempts, i.error, i.received_at as "receivedAt",
       i.updated_at as "updatedAt", (
         select coalesce(json_agg(json_build_object('id', a.id, 'type', a.type, 'status', a.status, 'count', a.count) order by a.seq), '[]')
         from ${db.schema}.event a
         where a.causation_id = i.event_id and a.is_answer and a.type not in ('steadfast.refused', 'steadfast.in-progress')
       ) as answers
     from ${db.schema}.inbox i where i.consumer = $1 and i.event_id = any($2::uuid[])`,
    [consumer, ids]
  )
  const found = new Map(rows.map(row => [row.id, row]))
  return ids.map(asked => {
    const id = asked.toLowerCase()
    const row = found.get(id)
    if (row === undefined)
      return {
        id,
        fate: 'absent',
        state: null,
        answers: [],
        attempts: 0,
        error: null,
        receivedAt: null,
        updatedAt: null
      }
    const { awaited, ...rest } = row
    return { ...rest, fate: fateOf(row.state, awaited && row.answers.length === 0) }
  })
}

function fateOf(state: DeliveryState, answerPending: boolean): Fate {
  if (state === 'DONE') return answerPending ? 'at-work' : 'done'
  if (state === 'REFUSED') return 'refused'
  return state === 'HELD' ? 'held' : 'at-work'
}
