import { aboutOf, classifyError, type FailureKind, isAnswer, isStale } from './classify-error.ts'
import { partitionName } from './driver.ts'
import { describe, type Outcomes } from './outcomes.ts'
import type { Limit, PublishContext } from './publishing.ts'
import type { Entry } from './record-size.ts'
import type { Lane } from './split-batch.ts'
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
    const pieces: Piece[] = []
    for (const lane of lanes) {
      const entries = nextEntries(lane, round, outcomes)
      if (entries.length > 0) pieces.push({ lane, entries })
    }
    await sendPieces(work, pieces)
    if (lanes.every(({ chunks }) => chunks.length <= round + 1)) return
  }
}

function nextEntries(lane: Lane, round: number, outcomes: Outcomes): readonly Entry[] {
  const chunk = lane.chunks[round]
  if (!chunk) return []
  const entries = outcomes.sendable(chunk)
  if (!lane.broken) return entries
  settle(outcomes, lane, entries, { kind: 'unavailable', error: lane.broken })
  return []
}

async function sendPieces(work: Work, pieces: readonly Piece[]): Promise<void> {
  const byLeader = new Map<number, Piece[]>()
  for (const piece of pieces) {
    const { leader } = piece.lane
    const of = byLeader.get(leader)
    if (of) of.push(piece)
    else byLeader.set(leader, [piece])
  }
  await Promise.all([...byLeader].map(([leader, of]) => sendToLeader(work, leader, of)))
}

async function sendToLeader(work: Work, leader: number, pieces: readonly Piece[]): Promise<void> {
  if (work.limit.reached) return
  const stale: [Piece, Failure][] = []
  for (const [piece, failure] of await attempt(work, leader, pieces)) {
    if (isStale(failure.error) && !piece.retried) stale.push([piece, failure])
    else if (failure.kind === 'refused' && piece.entries.length > 1) await isolate(work, piece)
    else settle(work.outcomes, piece.lane, piece.entries, failure)
  }
  if (stale.length === 0) return
  await reload(work, stale)
  const again: Piece[] = []
  for (const [piece, failure] of stale) {
    const { topic, partitions } = piece.lane
    // One that is gone, or was made anew with other partitions, is not the topic that the messages were split for.
    if (work.infos.known(topic)?.partitions === partitions) again.push({ ...piece, retried: true })
    else settle(work.outcomes, piece.lane, piece.entries, failure)
  }
  await sendPieces(work, again)
}

/** Halves what a partition refused until the culprit stands alone. */
async function isolate(work: Work, { lane, entries }: Piece): Promise<void> {
  const { outcomes } = work
  const middle = entries.length >> 1
  for (const half of [entries.slice(0, middle), entries.slice(middle)]) {
    const sendable = outcomes.sendable(half)
    if (lane.broken) settle(outcomes, lane, sendable, { kind: 'unavailable', error: lane.broken })
    else if (sendable.length > 0) await sendPieces(work, [{ lane, entries: sendable }])
  }
}

/** Finds the leaders anew. */
async function reload({ infos, limit }: Work, stale: readonly [Piece, Failure][]): Promise<void> {
  const topics = new Set(stale.map(([{ lane }]) => lane.topic))
  const loads = [...topics].map(topic => infos.load(topic).catch(() => undefined))
  await Promise.race([Promise.all(loads), limit.promise]).catch(() => undefined)
  for (const [{ lane }] of stale) lane.leader = infos.known(lane.topic)?.leaders[lane.partition] ?? lane.leader
}

function settle(outcomes: Outcomes, lane: Lane, entries: readonly Entry[], { kind, error }: Failure): void {
  if (kind !== 'refused') lane.broken ??= error
  for (const { index } of entries) outcomes.fail(index, kind, describe(kind, lane.topic, error), aboutOf(error))
}

/** One request. Tells the outcomes of what was stored; resolves with what was not. */
async function attempt(work: Work, leader: number, pieces: readonly Piece[]): Promise<[Piece, Failure][]> {
  const { producer, outcomes, limit, infos } = work
  let sent = false
  const onSending = () => {
    // Time may have run out while a connection was made.
    if (limit.reached) throw limit.reached
    sent = true
    for (const { entries } of pieces) outcomes.sent(entries)
  }
  try {
    const answer = producer.send(leader, pieces.map(toBatch), onSending)
    answer.catch(() => undefined)
    return readAnswer(await Promise.race([answer, limit.promise]), pieces, outcomes)
  } catch (thrown) {
    const error = asError(thrown)
    if (!isAnswer(error)) producer.failed(error)
    infos.forget(pieces.map(({ lane }) => lane.topic))
    const kind = sent ? classifyError(error) : 'unavailable'
    return pieces.map(piece => [piece, { kind, error }])
  }
}

function toBatch({ lane: { topic, partition }, entries }: Piece) {
  return { topic, partition, entries }
}

function readAnswer(
  answer: Map<string, Error | undefined>,
  pieces: readonly Piece[],
  outcomes: Outcomes
): [Piece, Failure][] {
  const failures: [Piece, Failure][] = []
  for (const piece of pieces) {
    const name = partitionName(piece.lane.topic, piece.lane.partition)
    const error = answer.has(name) ? answer.get(name) : new Error('the broker did not answer for the partition')
    if (error === undefined) outcomes.ok(piece.entries)
    else failures.push([piece, { kind: classifyError(error), error }])
  }
  return failures
}
