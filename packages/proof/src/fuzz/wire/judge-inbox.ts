import type { Outgoing } from '@steadfast/events'
import type { Pool } from 'pg'

/** A message that was published. */
export interface Sent {
  /** Travels in the header `mark`. */
  mark: string
  message: Outgoing
  /** It must be handled. */
  isGood: boolean
  /** What a person reads of it. */
  story: string
}

interface Row {
  state: string
  body: Buffer | null
  code: string | null
  message: string | null
}

/** What the tables say: by the place of each record in the log. */
interface Found {
  log: { mark: string; place: string; value: Buffer }[]
  rows: Map<string, Row[]>
  handled: Map<string, { n: number; raw: Buffer }[]>
}

async function look(pool: Pool): Promise<Found> {
  const log = await pool.query(
    `select headers::text as headers, p.topic || '/' || p.partition || ':' || r."offset" as place, value
     from steadfast_log.record r join steadfast_log.partition p on p.id = r.partition_id order by p.id, r."offset"`
  )
  const rows = await pool.query(
    `select topic || '/' || position as place, state, body, error->>'code' as code, error->>'message' as message
     from steadfast.inbox`
  )
  const handled = await pool.query(`select position as place, n, decode(raw, 'base64') as raw from handled order by n`)
  return {
    log: log.rows.map(({ headers, place, value }) => ({ mark: JSON.parse(headers).mark, place, value })),
    rows: byPlace(rows.rows),
    handled: byPlace(handled.rows)
  }
}

function byPlace<T extends { place: string }>(rows: readonly T[]): Map<string, T[]> {
  const map = new Map<string, T[]>()
  for (const row of rows) map.set(row.place, [...(map.get(row.place) ?? []), row])
  return map
}

/** What is wrong about one record, `undefined` when nothing is. */
function judge({ place, value }: Found['log'][number], sent: Sent, { rows, handled }: Found): string | undefined {
  if (!value.equals(sent.message.value)) return 'the log holds other bytes'
  const [row, second] = rows.get(place) ?? []
  const effects = handled.get(place) ?? []
  if (second !== undefined) return 'it has two rows in the inbox'
  if (effects.length > 1) return `it was handled ${effects.length} times`
  // A signal that was taken has no row: whether it took effect is seen at the event it speaks of.
  const type = sent.message.headers.ce_type?.toString() ?? ''
  if (row === undefined && effects.length === 0 && type.startsWith('steadfast.')) return undefined
  if (row === undefined) return 'it is lost: no row in the inbox'
  if (row.state === 'DONE') {
    if (effects.length === 0) return 'its row says DONE, but the handler has not seen it'
    return effects[0]?.raw.equals(value) ? undefined : 'the handler was given other data than were sent'
  }
  if (effects.length > 0) return `it was handled, and its row says ${row.state}`
  if (sent.isGood) return `it is good, and its row says ${row.state}: ${row.code} ${row.message}`
  if (row.state !== 'REFUSED') return `it was not set aside as refused: ${row.state} ${row.code} ${row.message}`
  if (!/^SF_/.test(row.code ?? '') || !row.message) return `it was refused without a reason: ${row.code} ${row.message}`
  return row.body?.equals(value) ? undefined : 'its bytes were not kept as they came'
}

/** Compares the log with the inbox and with what the handlers saw. */
export async function findWrongs(pool: Pool, sent: readonly Sent[]): Promise<string[]> {
  const found = await look(pool)
  const byMark = new Map(sent.map(each => [each.mark, each]))
  const wrongs: string[] = []
  const last = new Map<string, number>()
  for (const record of found.log) {
    const each = byMark.get(record.mark)
    if (each === undefined) continue
    byMark.delete(record.mark)
    const wrong = judge(record, each, found)
    if (wrong !== undefined) wrongs.push(`${each.mark} at ${record.place}: ${wrong}\n  fed: ${each.story}`)
    if (!each.isGood || wrong !== undefined) continue
    const n = Number(found.handled.get(record.place)?.[0]?.n)
    const { key } = each.message
    if (n < (last.get(key) ?? 0))
      wrongs.push(`${each.mark} at ${record.place}: handled before one of its key that stands before it`)
    last.set(key, n)
  }
  for (const mark of byMark.keys()) wrongs.push(`${mark} is not in the log`)
  return wrongs
}
