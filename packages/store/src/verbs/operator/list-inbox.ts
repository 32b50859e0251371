import type { Db } from '../../db.ts'
import { type DeliverySummary, deliverySummaryColumns } from '../inbox/delivery-summary.ts'
import type { DeliveryState } from '../inbox/get-delivery.ts'
import type { Page } from './list-events.ts'

/** Which deliveries of a consumer; every member narrows. */
export interface InboxFilter {
  consumer: string
  state?: readonly DeliveryState[]
  type?: string
  key?: string
  source?: string
  /** A piece of id, key, type, source or error, in any case. Bodies are not searched. */
  search?: string
}

/** Lists deliveries without their bodies, newest id first, or oldest first. */
export async function listInbox(
  db: Db,
  { consumer, state, type, key, source, search }: InboxFilter,
  { after, limit, order = 'newest' }: Page & { order?: 'newest' | 'oldest' }
): Promise<DeliverySummary[]> {
  const [beyond, direction] = order === 'newest' ? ['<', 'desc'] : ['>', 'asc']
  return db.rows(
    `select ${deliverySummaryColumns('i')} from ${db.schema}.inbox i
     where i.consumer = $1
       and ($2::text[] is null or i.state = any($2))
       and ($3::text is null or i.type = $3)
       and ($4::text is null or i.key = $4)
       and ($5::text is null or i.source = $5)
       and ($6::text is null or strpos(lower(concat_ws(E'\\n', i.event_id, i.key, i.type, i.source, i.error::text)), lower($6)) > 0)
       and ($7::uuid is null or i.event_id ${beyond} $7)
     order by i.event_id ${direction} limit $8`,
    [consumer, state ?? null, type ?? null, key ?? null, source ?? null, search ?? null, after ?? null, limit]
  )
}
