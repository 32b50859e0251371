import { createHash } from 'node:crypto'
import type { EventRow, Violation } from '../evidence.ts'
import { collector, type LookUp, placeOf } from '../look-up.ts'

/** The hash by which contents are compared. */
export const hashOf = (value: string | Buffer) => shorten(createHash('sha256').update(value).digest('hex'))

const shorten = (hash: string) => hash.slice(0, 16)

/** Of what the row was sent with: an erased row has only the hash of it. */
const contentOf = ({ payload, erased_hash }: EventRow) =>
  erased_hash === null ? hashOf(payload) : shorten(erased_hash)

/** Invariant 10. No record in the log for a rolled-back row, and none that differs from its row. */
export function checkRecords(look: LookUp): Violation[] {
  const { add, violations } = collector(10)
  for (const record of look.log) {
    if (look.poison.has(placeOf(record))) continue
    const { id, type, key, topic, hash } = record
    const where = `record ${placeOf(record)} (${type} ${id})`
    const event = look.eventById.get(id)
    if (event === undefined) add(`${where} belongs to no committed outbox row`, id)
    else if (event.type !== type || event.key !== key || event.topic !== topic || event.source !== record.source)
      add(`${where} has another envelope than its row`, id)
    else if (contentOf(event) !== hash) add(`${where} has another content than its row`, id)
  }
  return violations
}
