import type { Evidence, Violation } from './evidence.ts'
import { checkAnswers } from './invariants/answers.ts'
import { checkAudits } from './invariants/audits.ts'
import { checkCounts } from './invariants/counts.ts'
import { checkEffects } from './invariants/effects.ts'
import { checkHealth } from './invariants/health.ts'
import { checkOrder } from './invariants/order.ts'
import { checkRecords } from './invariants/records.ts'
import { checkRequests } from './invariants/requests.ts'
import { checkSends } from './invariants/sends.ts'
import { checkSettled } from './invariants/settled.ts'
import { checkStatuses } from './invariants/statuses.ts'
import { checkTraces } from './invariants/traces.ts'
import { type LookUp, lookUp } from './look-up.ts'
import { tellStory } from './story.ts'

const CHECKS: readonly ((look: LookUp) => Violation[])[] = [
  checkRequests,
  checkEffects,
  checkTraces,
  checkOrder,
  checkStatuses,
  checkSettled,
  checkSends,
  checkAnswers,
  checkCounts,
  checkRecords,
  checkHealth,
  checkAudits
]

/** Judges the evidence by every invariant. */
export function check(evidence: Evidence): Violation[] {
  const look = lookUp(evidence)
  return CHECKS.flatMap(judge => judge(look)).sort((a, b) => a.invariant - b.invariant)
}

/** Stories that are told in full; after so many violations one reads the sentences. */
const STORIES = 10

/** The violations as texts, each with the story of its events. */
export function describeViolations(evidence: Evidence, violations: readonly Violation[]): string[] {
  const look = lookUp(evidence)
  return violations.map(({ invariant, text, eventIds }, index) => {
    const story = index < STORIES && eventIds.length > 0 ? `\n${tellStory(look, eventIds)}` : ''
    return `invariant ${invariant}: ${text}${story}`
  })
}
