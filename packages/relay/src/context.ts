import type { SigningKey, Transport } from '@steadfast/events'
import type { Db } from '@steadfast/store/internal'
import type { FastifyBaseLogger } from 'fastify'
import type { Circuit } from './circuit.ts'
import type { FailingTopics } from './failing-topics.ts'
import type { LateMarks } from './late-marks.ts'
import type { ReplayBudget } from './replay-budget.ts'

/** What one tick did. `failed` events stay due and uncounted. */
export interface Tally {
  sent: number
  /** Refused by the broker, or given up because their topic was unavailable for too long. */
  parked: number
  failed: number
  /** Signals that were given up because their topic was unavailable for too long. */
  dropped: number
}

export const emptyTally = (): Tally => ({ sent: 0, parked: 0, failed: 0, dropped: 0 })

/** What sending works with. */
export interface DrainContext {
  db: Db
  transport: Transport
  log: FastifyBaseLogger
  topics: FailingTopics
  /** Of the whole transport. */
  circuit: Circuit
  /** While the transport takes nothing: topics that were tried in vain. */
  tried: Set<string>
  /** Whether the transport takes anything at all, or speaks of topics; what it says tells whether this relay can send. */
  reach: Circuit
  late: LateMarks
  /** For stored answers that go out again. */
  replays: ReplayBudget
  /** Asked before each read: others may have come, left or died while this relay was busy. */
  lanes(): Promise<readonly number[]>
  /** Begins a probe of topics that took nothing, if it is time; nothing waits for it. */
  probe(): void
  batchSize: number
  probeSize: number
  maxBatchBytes: number
  sendTimeoutMs: number
  topicPatienceMs: number
  sign?: SigningKey | undefined
  /** Aborted when the send under way must end. */
  signal: AbortSignal
  /** The server closes: no further send begins. */
  stopping(): boolean
  /** True once after a wake that came in meanwhile. */
  takeWake(): boolean
}
