import type { PublishResult } from '@steadfast/events'
import { type DueEvent, noteFailing, parkUnsendable, tellParked } from '@steadfast/store/internal'
import { type TransportChanged, topicChanged, transportChanged } from './channels.ts'
import type { DrainContext, Tally } from './context.ts'
import { giveUp } from './give-up.ts'
import { type TopicOutcome, topicOutcomes, type Unfit, unfit } from './topic-outcomes.ts'

/**
 * Parks what was refused and backs off what failed: a key, its topic where the topic took nothing, or everything where
 * it is the transport. Answers what of a batch that was read meanwhile may not be sent.
 */
export async function settleFailures(
  context: DrainContext,
  batch: readonly DueEvent[],
  results: readonly PublishResult[],
  { probing, tally }: { probing: boolean; tally: Tally }
): Promise<Unfit> {
  const stopped = await parkRefused(context, batch, results, tally)
  const outcomes = topicOutcomes(batch, results)
  const failing = outcomes.filter(({ failedKeys }) => failedKeys.size > 0)
  if (outcomes.some(o => o.answered || o.unavailable)) context.reach.succeeded()
  else context.reach.failed(failing[0]?.reason ?? 'unknown')
  if (!probing && isTransportDown(context, outcomes)) {
    const reason = failing[0]?.reason ?? 'unknown'
    if (context.circuit.reason === undefined) tellTransport(context, { state: 'failing', reason })
    context.circuit.failed(reason)
    for (const { topic } of outcomes) context.tried.add(topic)
    context.log.warn({ reason, topics: failing.length }, 'the transport took nothing: events stay due')
    return stopped
  }
  if (context.circuit.reason !== undefined && outcomes.some(o => o.answered || o.unavailable)) {
    context.circuit.succeeded()
    tellTransport(context, { state: 'recovered' })
    context.tried.clear()
    context.topics.transportRecovered()
  }
  for (const outcome of outcomes) {
    settleTopic(context, outcome)
    if (!outcome.answered) stopped.addTopic(outcome.topic)
  }
  if (failing.length > 0) {
    await noteReasons(context, batch, results)
    await giveUp(context, failing, tally)
  }
  return stopped
}

function tellTransport({ transport }: DrainContext, change: Omit<TransportChanged, 'transport'>): void {
  if (transportChanged.hasSubscribers) transportChanged.publish({ transport: transport.name, ...change })
}

/**
 * One topic that fails is that topic's own matter, unless the transport itself says that it cannot work. A broker that
 * speaks of a topic is there.
 */
function isTransportDown({ transport, circuit }: DrainContext, outcomes: readonly TopicOutcome[]): boolean {
  if (outcomes.some(({ answered, unavailable }) => answered || unavailable)) return false
  return outcomes.length > 1 || circuit.reason !== undefined || !transport.health().ready
}

async function parkRefused(
  { db, log }: DrainContext,
  batch: readonly DueEvent[],
  results: readonly PublishResult[],
  tally: Tally
): Promise<Unfit> {
  const stopped = unfit()
  for (const [i, event] of batch.entries()) {
    const result = results[i]
    if (result === undefined || result.ok) continue
    stopped.add(event)
    if (result.kind !== 'refused') {
      tally.failed++
      continue
    }
    log.error({ err: result.error, eventId: event.id, topic: event.topic }, 'the broker refused an event')
    // Before anything else of its key is sent: if this fails, the refused event comes first again.
    const { message: error } = result.error
    if ((await parkUnsendable(db, { id: event.id, count: event.count, error })) !== 'parked') continue
    tellParked(log, { eventIds: [event.id], reason: 'REFUSED_BY_BROKER', error })
    tally.parked++
  }
  return stopped
}

function settleTopic({ topics, log }: DrainContext, outcome: TopicOutcome): void {
  const { topic, reason = 'unknown', unavailable, failedKeys, answered } = outcome
  const change = topics.settle(outcome)
  if (change === 'failing') log.error({ topic, reason, unavailable }, 'a topic takes nothing: its events stay due')
  else if (change === 'recovered') log.info({ topic }, 'a topic takes events again')
  else if (answered && failedKeys.size > 0)
    log.warn({ topic, reason, keys: failedKeys.size }, 'events were not sent and stay due')
  if (change !== undefined && topicChanged.hasSubscribers)
    topicChanged.publish({ topic, state: change, unavailable, ...(change === 'failing' && { reason }) })
}

/** Writes on the rows why they stay due, once it is more than a moment, and not when the transport is away. */
async function noteReasons(
  { db, topics, transport, circuit }: DrainContext,
  batch: readonly DueEvent[],
  results: readonly PublishResult[]
): Promise<void> {
  const isThere = circuit.reason === undefined && transport.health().ready
  const failed = batch.flatMap((event, i) => {
    const result = results[i]
    if (result === undefined || result.ok || result.kind === 'refused') return []
    const topicUnavailable = result.about === 'topic'
    if (!topicUnavailable && !(isThere && topics.persists(event))) return []
    return [{ id: event.id, count: event.count, error: result.error.message, topicUnavailable }]
  })
  await noteFailing(db, failed)
}
