import type { LogRecord, Violation } from '../evidence.ts'
import { ANSWER_PREFIX, collector, groupBy, type LookUp } from '../look-up.ts'

/**
 * Invariant 8. All replies for one event carry the same hash: one answer, under one id, however often it is sent. What the
 * harness itself put into the log as answers of others is none.
 */
export function checkAnswers(look: LookUp): Violation[] {
  const { add, violations } = collector(8)
  const answers = look.deploy.events.filter(event => event.type.startsWith(ANSWER_PREFIX))
  for (const [cause, ofCause] of groupBy(answers, event => event.causation_id ?? ''))
    if (ofCause.length > 1)
      add(`${cause} has ${ofCause.length} answers: ${ofCause.map(e => e.id)}`, cause, ...ofCause.map(e => e.id))
  const isAnswer = (record: LogRecord) =>
    !record.poison && record.type.startsWith(ANSWER_PREFIX) && record.causationId !== null
  for (const [cause, records] of groupBy(look.log.filter(isAnswer), record => record.causationId ?? '')) {
    const hashes = new Set(records.map(record => record.hash))
    const ids = new Set(records.map(record => record.id))
    if (hashes.size > 1) add(`the answers to ${cause} in the log have ${hashes.size} different contents`, cause, ...ids)
    if (ids.size > 1) add(`the answers to ${cause} in the log have ${ids.size} different ids`, cause, ...ids)
  }
  return violations
}
