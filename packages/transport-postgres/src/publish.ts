import type { Outgoing, PublishResult } from '@steadfast/events'
import type { Database, Limits } from './database.ts'
import { Aborted, Behind, NoTopic, TimedOut, TooLarge, Unstorable } from './errors.ts'
import { insertRecords } from './sql/insert-records.ts'
import type { Topics } from './topics.ts'

export interface PublishContext {
  db: Database
  topics: Topics
  /** Resolves when the tables are there. */
  ready(): Promise<void>
  maxBytes: number
  timeoutMs: number
  stored(topics: readonly string[]): void
  failed(error: Error): void
}

interface Item {
  index: number
  message: Outgoing
  bytes: number
}

// Bounds of one transaction. A batch of more is split, so that the largest batch of the largest messages still fits a query.
const CHUNK_MESSAGES = 2000
const CHUNK_BYTES = 8 * 2 ** 20

/** Appends a batch and answers per message; see `Transport.publish`. */
export async function publishBatch(
  context: PublishContext,
  batch: readonly Outgoing[],
  signal: AbortSignal
): Promise<PublishResult[]> {
  const results = new Map<number, PublishResult>()
  const end = performance.now() + context.timeoutMs
  const limits = () => ({ timeoutMs: Math.ceil(end - performance.now()), signal })
  const items = sift(batch, context.maxBytes, results)
  let failure = await prepare(context, items, limits())
  for (const chunk of chunksOf(failure ? items : withTopic(context.topics, items, results))) {
    const result: PublishResult = failure
      ? { ok: false, kind: 'unavailable', error: failure }
      : await storeChunk(context, chunk, limits())
    if (!result.ok) failure ??= result.error
    for (const { index } of chunk) results.set(index, result)
  }
  if (failure && !(failure instanceof Aborted)) context.failed(failure)
  return batch.map((_, index) => results.get(index) as PublishResult)
}

/** Answers what can never be stored, and what stands behind it; returns the rest. */
function sift(batch: readonly Outgoing[], maxBytes: number, results: Map<number, PublishResult>): Item[] {
  const blocked = new Set<string>()
  const rest: Item[] = []
  for (const [index, message] of batch.entries()) {
    const bytes = sizeOf(message)
    const refusal = refusalOf(message, bytes, maxBytes)
    const lane = `${message.topic}\0${message.key}`
    if (refusal) results.set(index, { ok: false, kind: 'refused', error: refusal })
    else if (blocked.has(lane)) results.set(index, { ok: false, kind: 'unavailable', error: new Behind(message.key) })
    else rest.push({ index, message, bytes })
    if (refusal) blocked.add(lane)
  }
  return rest
}

function sizeOf({ value, headers }: Outgoing): number {
  let bytes = value.length
  for (const header of Object.values(headers)) bytes += header.length
  return bytes
}

function refusalOf({ topic, key }: Outgoing, bytes: number, maxBytes: number): Error | undefined {
  if (bytes > maxBytes) return new TooLarge(bytes, maxBytes)
  if (key.includes('\0')) return new Unstorable('the key')
  if (topic.includes('\0')) return new Unstorable('the name of the topic')
  return undefined
}

function chunksOf(items: readonly Item[]): Item[][] {
  const chunks: Item[][] = []
  let bytes = 0
  for (const item of items) {
    const last = chunks.at(-1)
    if (last && last.length < CHUNK_MESSAGES && bytes + item.bytes <= CHUNK_BYTES) {
      last.push(item)
      bytes += item.bytes
    } else {
      chunks.push([item])
      bytes = item.bytes
    }
  }
  return chunks
}

/** Makes the topics that are missing, but for the messages that are to go only to one that exists. */
async function prepare(
  { topics, ready, timeoutMs }: PublishContext,
  items: readonly Item[],
  limits: Required<Limits>
): Promise<Error | undefined> {
  const topicsOf = (mustExist: boolean) =>
    items.filter(({ message }) => (message.mustExist ?? false) === mustExist).map(({ message }) => message.topic)
  try {
    const work = ready().then(() => topics.prepare(topicsOf(false), topicsOf(true)))
    await settleBefore(work, limits, timeoutMs)
    return undefined
  } catch (error) {
    return error as Error
  }
}

/** Answers the messages whose topic is missing; returns the rest. */
function withTopic(topics: Topics, items: readonly Item[], results: Map<number, PublishResult>): Item[] {
  return items.filter(({ index, message: { topic, mustExist } }) => {
    if (!mustExist || topics.knows(topic)) return true
    results.set(index, { ok: false, kind: 'unavailable', about: 'topic', error: new NoTopic(topic) })
    return false
  })
}

async function storeChunk(
  { db, topics, stored }: PublishContext,
  chunk: readonly Item[],
  limits: Required<Limits>
): Promise<PublishResult> {
  const names = [...new Set(chunk.map(({ message }) => message.topic))]
  const placed = chunk.map(({ message }) => ({ partitionId: topics.partitionId(message.topic, message.key), message }))
  const attempt = await insertRecords(db, placed, limits)
  if ('rows' in attempt) {
    stored(names)
    return { ok: true }
  }
  topics.forget(names)
  return { ok: false, kind: attempt.stored === 'no' ? 'unavailable' : 'unknown', error: attempt.error }
}

/** Waits for what has stored nothing yet, until the time is over or the caller gives up. */
async function settleBefore(
  work: Promise<void>,
  { timeoutMs, signal }: Required<Limits>,
  wholeMs: number
): Promise<void> {
  let give: () => void = () => {}
  let timer: NodeJS.Timeout | undefined
  const given = new Promise<never>((_, reject) => {
    give = () => reject(new Aborted(String(signal.reason)))
    timer = setTimeout(() => reject(new TimedOut(wholeMs)), Math.max(0, timeoutMs))
  })
  signal.addEventListener('abort', give, { once: true })
  if (signal.aborted) give()
  try {
    await Promise.race([work, given])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', give)
  }
}
