import type { EventRow, InboxRow, LogRecord, NoteRow, Violation } from '../evidence.ts'
import { collector, deedsAtDeploy, groupBy, isNote, type LookUp } from '../look-up.ts'

/**
 * Invariant 4. First-seen order per key equals commit order: in the outbox, in the log, and in the effects. While a held
 * head blocks its topic and key, nothing later of these was applied; a refused one lets them go on.
 *
 * Out of the comparison: an event that the broker refused at first, one whose record the harness deleted (a resend
 * then comes after later ones, as is documented), one that a person had run again.
 */
export function checkOrder(look: LookUp): Violation[] {
  return [...checkOutbox(look), ...checkLog(look), ...checkEffectOrder(look), ...checkHeld(look)]
}

/** Pairs of neighbours that stand the wrong way round. */
function inversions<T>(items: readonly T[], numberOf: (item: T) => number | bigint): [T, T][] {
  const wrong: [T, T][] = []
  let latest: T | undefined
  for (const item of items) {
    if (latest !== undefined && numberOf(item) < numberOf(latest)) wrong.push([latest, item])
    else latest = item
  }
  return wrong
}

/** Notes of one key lock one row: their numbers are their commit order. */
function checkOutbox({ market }: LookUp): Violation[] {
  const { add, violations } = collector(4)
  const seqOf = new Map(market.events.map(event => [event.id, BigInt(event.seq)]))
  for (const [key, notes] of groupBy(market.notes, note => note.key)) {
    const sorted = [...notes].sort((a, b) => a.n - b.n)
    for (const [earlier, later] of inversions(sorted, note => seqOf.get(note.event_id) ?? 0n))
      add(
        `outbox order of key ${key}: note ${later.n} committed after ${earlier.n} and has the smaller seq`,
        later.event_id,
        earlier.event_id
      )
  }
  return violations
}

const wasParkedByBroker = (look: LookUp) =>
  new Set([
    ...look.market.events.filter(event => event.park_reason === 'REFUSED_BY_BROKER').map(event => event.id),
    ...look.market.transitions.filter(t => t.to === 'PARKED' && t.count === 0).map(t => t.event_id)
  ])

function checkLog(look: LookUp): Violation[] {
  const { add, violations } = collector(4)
  const { eventById, log } = look
  const exempt = wasParkedByBroker(look)
  const isOwn = ({ type, id, poison }: LogRecord) => isNote(type) && !poison && !exempt.has(id) && eventById.has(id)
  const records = log.filter(isOwn)
  for (const [key, ofKey] of groupBy(records, record => record.key)) {
    const partitions = new Set(ofKey.map(record => record.partition))
    if (partitions.size > 1) add(`key ${key} is in partitions ${[...partitions]}`, ...ofKey.map(record => record.id))
    const seen = new Set<string>()
    const first = [...ofKey].sort(byPlace).filter(({ id }) => !seen.has(id) && seen.add(id))
    const seq = ({ id }: LogRecord) => BigInt((eventById.get(id) as EventRow).seq)
    for (const [earlier, later] of inversions(first, seq))
      add(
        `log order of key ${key}: ${later.id} (seq ${seq(later)}) stands first at ${later.partition}:${later.offset}, after ${earlier.id} (seq ${seq(earlier)})`,
        later.id,
        earlier.id
      )
  }
  return violations
}

const byPlace = (a: LogRecord, b: LogRecord) => a.partition - b.partition || Number(BigInt(a.offset) - BigInt(b.offset))

function checkEffectOrder(look: LookUp): Violation[] {
  const { add, violations } = collector(4)
  const exempt = new Set([
    ...wasParkedByBroker(look),
    ...look.log.filter(record => record.deleted).map(record => record.id),
    ...deedsAtDeploy(look, 'reprocess').keys()
  ])
  const effects = look.deploy.effects.filter(effect => !exempt.has(effect.event_id))
  for (const [key, ofKey] of groupBy(effects, effect => effect.key)) {
    const applied = [...ofKey].sort((a, b) => Number(BigInt(a.applied) - BigInt(b.applied)))
    for (const [earlier, later] of inversions(applied, effect => effect.n))
      add(`effects of key ${key}: ${later.n} was applied after ${earlier.n}`, later.event_id, earlier.event_id)
  }
  return violations
}

/** Holds that a person ended, and those that still stand. */
function checkHeld(look: LookUp): Violation[] {
  const { add, violations } = collector(4)
  const { inbox } = look.deploy
  const released = deedsAtDeploy(look, 'release')
  const notes = new Map(look.market.notes.map((note): [string, NoteRow] => [note.event_id, note]))
  const held = inbox.filter(row => notes.has(row.event_id) && (row.state === 'HELD' || released.has(row.event_id)))
  const unitOf = ({ topic, key }: InboxRow) => `${topic} ${key}`
  const byUnit = groupBy(inbox, unitOf)
  for (const row of held) {
    const until = row.state === 'HELD' ? new Date(8.64e15) : (released.get(row.event_id) ?? row.updated_at)
    const passed = (byUnit.get(unitOf(row)) ?? []).filter(
      other => arrivedAfter(row, other) && appliedAt(look, other) < until
    )
    for (const other of passed)
      add(`${row.event_id} was held, and ${other.event_id} of the same key passed it`, row.event_id, other.event_id)
  }
  return violations
}

const arrivedAfter = (row: InboxRow, other: InboxRow) =>
  other.consumer === row.consumer && BigInt(other.arrival) > BigInt(row.arrival)

const appliedAt = ({ effectsById }: LookUp, { event_id }: InboxRow): Date =>
  effectsById.get(event_id)?.[0]?.at ?? new Date(8.64e15)
