import { giveUpTopics, tellParked } from '@steadfast/store/internal'
import { topicGivenUp } from './channels.ts'
import type { DrainContext, Tally } from './context.ts'
import type { TopicOutcome } from './topic-outcomes.ts'

/** Signals are hints: of what their topic did not take for so long, nobody misses another. */
export const SIGNAL_PATIENCE_MS = 600_000
const LOOK_EVERY_MS = 30_000
const BATCH = 1000

/** How often a topic's long waiting events are looked at. */
export const lookEveryMs = (patienceMs: number): number => Math.min(LOOK_EVERY_MS, patienceMs / 10)

/** Parks events, and drops signals, whose topic has been missing or forbidden for too long. */
export async function giveUp(
  { db, topics, topicPatienceMs, log }: DrainContext,
  failing: readonly TopicOutcome[],
  tally: Tally
): Promise<void> {
  const unavailable = failing.filter(outcome => outcome.unavailable && !outcome.answered)
  const looked = topics.toGiveUp(unavailable.map(({ topic }) => topic))
  const reasons = new Map(unavailable.map(({ topic, reason = 'unknown' }) => [topic, reason]))
  const givenUp = await giveUpTopics(db, {
    topics: looked.map(({ topic, since }) => ({ topic, since, error: reasons.get(topic) ?? 'unknown' })),
    patienceMs: topicPatienceMs,
    signalPatienceMs: SIGNAL_PATIENCE_MS,
    limit: BATCH
  })
  for (const { topic, since, parked, dropped, more } of givenUp) {
    topics.lookedAt(topic, { since, more })
    if (parked.length + dropped.length === 0) continue
    tally.parked += parked.length
    tally.dropped += dropped.length
    log.error({ topic, parked: parked.length, dropped: dropped.length }, 'a topic was unavailable for too long')
    tellParked(log, { eventIds: parked, reason: 'TOPIC_UNAVAILABLE', error: reasons.get(topic) ?? 'unknown' })
    if (topicGivenUp.hasSubscribers) topicGivenUp.publish({ topic, parked, dropped })
  }
}
