import type { ModelEvent } from './model.ts'
import type { EventRow } from './rows.ts'

const NEXT: Record<string, readonly string[]> = {
  NEW: ['PUBLISHED', 'CONFIRMED', 'PARKED'],
  PUBLISHED: ['CONFIRMED', 'PARKED'],
  PARKED: ['CONFIRMED', 'RESOLVED'],
  CONFIRMED: [],
  RESOLVED: []
}

/** Whether so many steps forward lead from one status to the other. */
function leads(from: string, to: string, steps: number): boolean {
  if (from === to) return true
  return steps > 0 && (NEXT[from] ?? []).some(next => leads(next, to, steps - 1))
}

/**
 * What must hold of two successive looks at the rows whatever the model says, by the numbers of the checker's
 * invariants. `statements`: how many there were in between.
 */
export function brokenInvariants(
  before: readonly EventRow[],
  after: readonly EventRow[],
  facts: {
    statements: number
    known: ReadonlyMap<string, ModelEvent>
    acknowledged: ReadonlyMap<string, number>
    now: number
  }
): string[] {
  const found: string[] = []
  const now = new Map(after.map(row => [row.id, row]))
  for (const old of before) {
    const event = facts.known.get(old.id)
    const row = now.get(old.id)
    if (row === undefined) {
      const awaited = event !== undefined && event.awaitsFrom !== null
      const finished = old.status === 'CONFIRMED' || old.status === 'RESOLVED' || !awaited
      // with two statements, it may have been finished by the first
      if (facts.statements === 1 && (old.due || !finished))
        found.push(`invariant 2: ${old.id} was ${old.status} and is gone`)
      continue
    }
    if (!leads(String(old.status), String(row.status), facts.statements))
      found.push(`invariant 5: ${old.id} went from ${old.status} to ${row.status}`)
    if (Number(row.count) < Number(old.count))
      found.push(`invariant 7: ${old.id} counted ${old.count} sends, now ${row.count}`)
  }
  for (const row of after) {
    const event = facts.known.get(row.id)
    if (Number(row.count) > (facts.acknowledged.get(row.id) ?? 0))
      found.push(
        `invariant 7: ${row.id} counts ${row.count} sends, the broker acknowledged ${facts.acknowledged.get(row.id) ?? 0}`
      )
    if (row.status === 'PARKED' && row.park_reason === null)
      found.push(`invariant 7: ${row.id} is parked without a reason`)
    if (
      row.status === 'PARKED' &&
      row.park_reason === 'UNCONFIRMED' &&
      event !== undefined &&
      Number(row.count) < event.maxSends &&
      facts.now < Number(row.give_up_at)
    )
      found.push(`invariant 7: ${row.id} is parked by time-out after ${row.count} of ${event.maxSends} sends`)
    if (row.status === 'CONFIRMED' && (row.confirmed_by === null || row.confirmed_at === null))
      found.push(`invariant 3: ${row.id} is confirmed by nobody`)
  }
  return found
}
