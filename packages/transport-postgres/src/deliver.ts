import { type Delivery, RUN_AHEAD } from '@steadfast/events'
import type { Database } from './database.ts'
import { decodeHeaders } from './headers.ts'
import { countOut, type Holding, type Holdings } from './holdings.ts'
import type { Logger } from './options.ts'
import type { Prefix } from './prefix.ts'
import { fetchRecords, type LogRecord } from './sql/fetch-records.ts'

export interface DeliverOptions {
  db: Database
  holdings: Holdings
  maxInFlight: number
  logger: Logger
  onDelivery(delivery: Delivery): void
  /** Whether a holding may be read now. */
  readable(holding: Holding): boolean
  /** A delivery of this holding was done. */
  onDone(holding: Holding): void
  /** A holding that ran ahead as far as it may can be read again. */
  onAdvance(): void
}

const MAX_FETCH = 1000
const MAX_FETCH_BYTES = 8 * 2 ** 20

/**
 * Reads what the member may be given now and hands it out. Partitions take turns, so that a long one does not starve
 * the others.
 */
export function createDeliverer(options: DeliverOptions): { deliver(): Promise<{ more: boolean }> } {
  const { db, holdings, maxInFlight } = options
  const farthest = maxInFlight * RUN_AHEAD
  /** What ran ahead as far as it may, and is not read. */
  const stopped = new WeakSet<Prefix>()
  let turn = 0

  const readable = (holding: Holding) => options.readable(holding) && !stopped.has(holding.prefix)

  function onDone(holding: Holding): void {
    const { prefix } = holding
    options.onDone(holding)
    if (prefix.ahead <= farthest / 2 && stopped.delete(prefix)) options.onAdvance()
  }

  function inTurn(): Holding[] {
    const all = [...holdings.values()].filter(readable)
    turn = (turn + 1) % Math.max(1, all.length)
    return [...all.slice(turn), ...all.slice(0, turn)]
  }

  async function deliver(): Promise<{ more: boolean }> {
    const limit = Math.min(MAX_FETCH, maxInFlight - countOut(holdings))
    const chosen = limit > 0 ? inTurn() : []
    if (chosen.length === 0) return { more: false }
    const share = Math.max(1, Math.floor(limit / chosen.length))
    const asked = chosen.map(holding => ({ holding, prefix: holding.prefix, id: holding.id, from: holding.next }))
    const records = await fetchRecords(db, asked, { share, limit, maxBytes: MAX_FETCH_BYTES })
    const counts = new Map<number, number>()
    // Whatever happens meanwhile: behind one that was left out nothing of its partition may be handed out.
    const leftOut = new Set<Holding>()
    let bytes = 0
    for (const record of records) {
      const ask = asked.find(({ id }) => id === record.partitionId)
      counts.set(record.partitionId, (counts.get(record.partitionId) ?? 0) + 1)
      bytes += record.value.length
      // A rewind, a loss or a pause since the question was asked makes the rest of the answer void.
      if (!ask || holdings.get(ask.id) !== ask.holding || ask.holding.prefix !== ask.prefix) continue
      if (ask.prefix.ahead >= farthest) stopped.add(ask.prefix)
      if (leftOut.has(ask.holding) || !readable(ask.holding)) leftOut.add(ask.holding)
      else handOut({ ...options, onDone }, ask.holding, record)
    }
    return { more: bytes >= MAX_FETCH_BYTES || [...counts.values()].some(count => count >= share) }
  }

  return { deliver }
}

function handOut({ holdings, logger, onDelivery, onDone }: DeliverOptions, holding: Holding, record: LogRecord): void {
  const { topic, partition, prefix } = holding
  if (record.offset > holding.next) {
    const missed = record.offset - holding.next
    if (holding.next > 0)
      logger.warn({ topic, partition, missed }, 'messages went by retention before the group had read them')
  }
  holding.next = record.offset + 1
  const finish = prefix.handOut(record.offset)
  const delivery: Delivery = {
    topic,
    key: Buffer.from(record.key),
    headers: decodeHeaders(record.headers),
    raw: record.value,
    timestamp: record.at,
    position: `${partition}:${record.offset}`,
    done() {
      if (holdings.get(holding.id) !== holding || holding.prefix !== prefix) return
      finish()
      onDone(holding)
    }
  }
  try {
    onDelivery(delivery)
  } catch (error) {
    logger.error({ err: error, topic, position: delivery.position }, 'onDelivery threw; the delivery stays unfinished')
  }
}
