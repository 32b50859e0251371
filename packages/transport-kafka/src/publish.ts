import type { Outgoing, PublishResult } from '@steadfast/events'
import { aboutOf, classifyError } from './classify-error.ts'
import { MessageTooLarge, TransportClosed } from './errors.ts'
import { createOutcomes, describe, type Outcomes } from './outcomes.ts'
import type { Limit, PublishContext } from './publishing.ts'
import { sendLanes } from './send-lanes.ts'
import { splitBatch } from './split-batch.ts'
import type { TopicInfo, TopicInfos } from './topic-info.ts'
import { asError } from './within.ts'

/** Returns `publish` of the transport. Calls wait for each other: one batch is on its way at a time. */
export function createPublish(context: PublishContext, isClosed: () => boolean) {
  let last: Promise<unknown> = Promise.resolve()
  return async (batch: readonly Outgoing[], signal: AbortSignal): Promise<PublishResult[]> => {
    const { limit, startTimer, release } = createLimit(signal)
    const outcomes = createOutcomes(batch)
    const before = last
    const turn = Promise.race([before, limit.promise]).then(() => {
      if (isClosed()) throw new TransportClosed()
      startTimer(context.settings.connectionTimeoutMs + Math.ceil(1.5 * context.settings.requestTimeoutMs))
      return publishOne(context, batch, outcomes, limit)
    })
    // Whoever gives up waiting does not let the next one pass the one before. The results are dropped: they would hold
    // those of the call before, and so on to the first.
    last = Promise.allSettled([before, turn]).then(() => undefined)
    await turn.catch(thrown => outcomes.failRest(asError(thrown)))
    release()
    return outcomes.results()
  }
}

async function publishOne(
  context: PublishContext,
  batch: readonly Outgoing[],
  outcomes: Outcomes,
  limit: Limit
): Promise<void> {
  if (batch.length === 0) return
  await Promise.race([prepare(context, batch, outcomes), limit.promise])
  const lanes = splitBatch(batch, topic => context.infos.known(topic))
  await sendLanes(context, lanes, outcomes, limit)
  outcomes.failRest(limit.reached ?? new Error('not attempted'))
}

async function prepare(
  { infos, producer }: PublishContext,
  batch: readonly Outgoing[],
  outcomes: Outcomes
): Promise<void> {
  const unknown = new Set<string>()
  const oversize: number[] = []
  for (let index = 0; index < batch.length; index++) {
    const { topic, value } = batch[index] as Outgoing
    const info = infos.known(topic)
    if (!info) unknown.add(topic)
    else if (isOversize(info, value)) oversize.push(index)
  }
  // Connected meanwhile, also so that health() learns whether a broker is there.
  if (unknown.size > 0) producer.connect().catch(() => undefined)
  if (unknown.size > 0) await loadTopics(infos, unknown, batch, outcomes, oversize)
  if (oversize.length > 0) await refuseOversize(infos, oversize, batch, outcomes)
}

async function loadTopics(
  infos: TopicInfos,
  topics: Set<string>,
  batch: readonly Outgoing[],
  outcomes: Outcomes,
  oversize: number[]
): Promise<void> {
  const failed = new Map<string, Error>()
  await Promise.all([...topics].map(topic => infos.load(topic).catch(error => failed.set(topic, asError(error)))))
  for (let index = 0; index < batch.length; index++) {
    const { topic, value } = batch[index] as Outgoing
    if (!topics.has(topic)) continue
    const info = infos.known(topic)
    if (info && isOversize(info, value)) oversize.push(index)
    const error = failed.get(topic)
    if (!error) continue
    const kind = classifyError(error) === 'refused' ? 'refused' : 'unavailable'
    outcomes.fail(index, kind, describe(kind, topic, error), aboutOf(error))
  }
}

// The broker would break the connection of a request beyond socket.request.max.bytes, so what cannot fit is not sent.
// Asked again before, since the topic's limit may have been raised.
async function refuseOversize(
  infos: TopicInfos,
  indexes: readonly number[],
  batch: readonly Outgoing[],
  outcomes: Outcomes
): Promise<void> {
  const topics = new Set(indexes.map(index => (batch[index] as Outgoing).topic))
  await Promise.all([...topics].map(topic => infos.load(topic).catch(() => undefined)))
  for (const index of indexes) {
    const { topic, value } = batch[index] as Outgoing
    const info = infos.known(topic)
    if (!info || !isOversize(info, value)) continue
    outcomes.fail(index, 'refused', new MessageTooLarge(value.length, topic, info.maxMessageBytes))
  }
}

function isOversize({ maxMessageBytes }: TopicInfo, value: Buffer): boolean {
  return maxMessageBytes !== undefined && value.length > maxMessageBytes
}

function createLimit(signal: AbortSignal) {
  let reject: (error: Error) => void = () => undefined
  const promise = new Promise<never>((_, r) => {
    reject = r
  })
  promise.catch(() => undefined)
  const limit: Limit = { reached: undefined, promise }
  const end = (error: Error) => {
    limit.reached ??= error
    reject(limit.reached)
  }
  const abort = () => end(new Error('aborted by the caller', { cause: signal.reason }))
  let timer: NodeJS.Timeout | undefined
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  return {
    limit,
    startTimer(ms: number) {
      timer = setTimeout(() => end(new Error(`not finished within ${ms} ms`)), ms)
    },
    release() {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    }
  }
}
