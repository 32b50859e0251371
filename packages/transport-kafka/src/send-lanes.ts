import type { TopicMessages } from 'kafkajs'
import { classifyError, type FailureKind, isAnswer, isStale } from './classify-error.ts'
import { PublishUnavailable } from './errors.ts'
import { describe, type Outcomes } from './outcomes.ts'
import type { LiveProducer } from './producer.ts'
import type { Limit, PublishContext } from './publish.ts'
import type { Entry, Lane } from './split-batch.ts'
import { asError } from './within.ts'

/** One record batch for one partition. */
interface Piece {
  lane: Lane
  entries: readonly Entry[]
  /** A second try with fresh metadata. */
  retried?: boolean
}

interface Failure {
  kind: FailureKind
  error: Error
}

interface Work extends PublishContext {
  outcomes: Outcomes
  limit: Limit
}

/**
 * Sends the chunks of every lane: in each round the next chunk of all lanes, one request per leader, so that a broker
 * that is away fails its own partitions only.
 */
export async function sendLanes(
  context: PublishContext,
  lanes: readonly Lane[],
  outcomes: Outcomes,
  limit: Limit
): Promise<void> {
  const work: Work = { ...context, outcomes, limit }
  for (let round = 0; ; round++) {
    const byLeader = new Map<number, Piece[]>()
    for (const lane of lanes) {
      const entries = nextEntries(lane, round, outcomes)
      if (entries.length === 0) continue
      const pieces = byLeader.get(lane.leader)
      if (pieces) pieces.push({ lane, entries })
      else byLeader.set(lane.leader, [{ lane, entries }])
    }
    if (byLeader.size > 0) await Promise.all([...byLeader.values()].map(pieces => sendPieces(work, pieces)))
    if (lanes.every(({ chunks }) => chunks.length <= round + 1)) return
  }
}

function nextEntries(lane: Lane, round: number, outcomes: Outcomes): readonly Entry[] {
  const chunk = lane.chunks[round]
  if (!chunk) return []
  const entries = outcomes.sendable(chunk)
  if (!lane.broken) return entries
  for (const { index } of entries) {
    outcomes.fail(index, 'unavailable', new PublishUnavailable(lane.topic, lane.broken.message))
  }
  return []
}

async function sendPieces(work: Work, pieces: readonly Piece[]): Promise<void> {
  const { outcomes, limit } = work
  if (pieces.length === 1) return sendAlone(work, pieces[0] as Piece)
  if (limit.reached) return
  const failure = await attempt(work, pieces)
  if (!failure) return
  if (isAnswer(failure.error)) {
    // The answer does not say which partition it means, so each is asked alone; those that were stored are stored again.
    for (const { lane, entries } of pieces) await sendAlone(work, { lane, entries: outcomes.sendable(entries) })
  } else {
    for (const { lane, entries } of pieces) settle(outcomes, lane, entries, failure)
  }
}

async function sendAlone(work: Work, piece: Piece): Promise<void> {
  if (piece.entries.length === 0 || work.limit.reached) return
  const failure = await attempt(work, [piece])
  if (failure) await isolate(work, piece, failure)
}

/** Halves what a partition refused until the culprit stands alone; tries again once when our metadata were stale. */
async function isolate(work: Work, piece: Piece, failure: Failure): Promise<void> {
  const { outcomes } = work
  const { lane, entries } = piece
  if (failure.kind === 'refused' && entries.length > 1) {
    const middle = entries.length >> 1
    await sendAlone(work, { lane, entries: entries.slice(0, middle) })
    const { broken } = lane
    if (broken) settle(outcomes, lane, outcomes.sendable(entries.slice(middle)), { kind: 'unavailable', error: broken })
    else await sendAlone(work, { lane, entries: outcomes.sendable(entries.slice(middle)) })
  } else if (isStale(failure.error) && !piece.retried) {
    await sendAlone(work, { ...piece, retried: true })
  } else {
    settle(outcomes, lane, entries, failure)
  }
}

function settle(outcomes: Outcomes, lane: Lane, entries: readonly Entry[], { kind, error }: Failure): void {
  if (kind !== 'refused') lane.broken ??= error
  for (const { index } of entries) outcomes.fail(index, kind, describe(kind, lane.topic, error))
}

/** One request. Resolves with the failure, if any, after having told the outcomes of what went well. */
async function attempt(work: Work, pieces: readonly Piece[]): Promise<Failure | undefined> {
  const { producers, outcomes, limit, infos } = work
  let live: LiveProducer
  try {
    live = await Promise.race([producers.get(), limit.promise])
  } catch (thrown) {
    return { kind: 'unavailable', error: asError(thrown) }
  }
  try {
    const stored = await send(work, live, pieces)
    // kafkajs drops messages for a partition that its own metadata do not list, and calls it a success.
    const dropped = pieces.filter(({ lane }) => !stored.has(nameOf(lane.topic, lane.partition)))
    for (const piece of pieces) if (!dropped.includes(piece)) outcomes.ok(piece.entries)
    if (dropped.length === 0) return undefined
    const error = new Error('the partition is missing in the metadata of the producer')
    producers.discard(live, error)
    for (const { lane, entries } of dropped) settle(outcomes, lane, entries, { kind: 'unavailable', error })
    return undefined
  } catch (thrown) {
    const error = asError(thrown)
    if (!isAnswer(error) || isStale(error)) {
      producers.discard(live, error)
      infos.forget(pieces.map(({ lane }) => lane.topic))
    }
    return { kind: classifyError(error), error }
  }
}

/** Returns the names of the partitions that were stored to. */
async function send(
  { outcomes, settings, limit }: Work,
  { producer }: LiveProducer,
  pieces: readonly Piece[]
): Promise<Set<string>> {
  if (limit.reached) throw limit.reached
  for (const { entries } of pieces) outcomes.sent(entries)
  const answer = producer.sendBatch({
    acks: -1,
    // The broker gives up on its replicas, and says so, before this client gives up on the broker.
    timeout: Math.ceil(settings.requestTimeoutMs * 0.8),
    topicMessages: toTopicMessages(pieces)
  })
  answer.catch(() => undefined)
  const stored = new Set<string>()
  for (const { topicName, partition, errorCode } of await Promise.race([answer, limit.promise])) {
    if (errorCode === 0) stored.add(nameOf(topicName, partition))
  }
  return stored
}

function toTopicMessages(pieces: readonly Piece[]): TopicMessages[] {
  const byTopic = new Map<string, TopicMessages>()
  for (const { lane, entries } of pieces) {
    const of = byTopic.get(lane.topic) ?? { topic: lane.topic, messages: [] }
    byTopic.set(lane.topic, of)
    for (const { message } of entries) of.messages.push(message)
  }
  return [...byTopic.values()]
}

function nameOf(topic: string, partition: number): string {
  return `${topic}/${partition}`
}
