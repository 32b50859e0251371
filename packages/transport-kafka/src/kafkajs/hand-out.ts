import { setTimeout as sleep } from 'node:timers/promises'
import { RUN_AHEAD } from '@steadfast/events'
import type { EachBatchPayload, KafkaMessage } from 'kafkajs'
import type { Assignment, Fetched } from '../assignment.ts'
import type { Committer } from '../commit.ts'
import { type Membership, REVOCATION_DRAIN_MS } from '../driver.ts'
import { createGate, type Gate } from '../gate.ts'
import type { Logger, Settings } from '../options.ts'
import { createDrain } from '../wait.ts'
import { asError } from '../within.ts'

/** What the parts of a member share. */
export interface MemberState {
  assignment: Assignment | undefined
  paused: boolean
  stopping: boolean
  ended: boolean
}

/** Hands out what kafkajs fetched, and answers for heartbeats meanwhile. */
export interface Handler {
  gate: Gate
  eachBatch(payload: EachBatchPayload): Promise<void>
  /** How many batches are being handed out. */
  busy(): number
  onDone(): void
  rejoined(): void
  /** Makes everything that was handed out stale. */
  endAssignment(): void
  /** Resolves when nothing is out, or after `ms`. */
  drained(ms: number): Promise<void>
  stop(): void
}

interface Parts {
  settings: Settings
  state: MemberState
  committer: Committer
  logger: Logger
  membership: Membership
}

// A heartbeat's answer that ends the ownership of partitions.
const LOST = new Set(['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID'])

/**
 * A batch stays in `eachBatch` until its last message is handed out, and waits at the gate while there is no room, so
 * that kafkajs neither fetches on nor sleeps; the interval below keeps the membership alive in that time.
 */
export function createHandler({ settings, state, committer, logger, membership }: Parts): Handler {
  const gate = createGate()
  let busy = 0
  let heartbeat: (() => Promise<void>) | undefined
  let revoking: Promise<void> | undefined
  const drain = createDrain()
  /** Partitions that ran ahead as far as they may, and are not fetched. */
  const stopped = new Set<{ mayGoOn(): boolean; resume(): void }>()
  const farthest = membership.maxInFlight * RUN_AHEAD
  const beating = setInterval(
    () => {
      if (gate.waiting > 0 && heartbeat) beat(heartbeat).catch(() => undefined)
    },
    Math.ceil(settings.heartbeatIntervalMs / 3)
  )
  beating.unref()

  const hasRoom = (mine: Assignment) =>
    !state.paused && !state.stopping && !revoking && mine.out < membership.maxInFlight

  async function handOut({ batch, resolveOffset, pause }: EachBatchPayload, mine: Assignment): Promise<void> {
    const { topic, partition, messages } = batch
    const last = messages.length - 1
    const run = mine.run(topic, partition)
    const goesOn = () => mine.live && mine.run(topic, partition) === run
    let handed = -1
    try {
      for (let i = 0; i <= last; i++) {
        while (!hasRoom(mine)) {
          await gate.wait()
          if (!goesOn()) return
        }
        if (mine.ahead(topic, partition) >= farthest) {
          // The batch is given up, and fetched again from here on, so that kafkajs goes on with the other partitions.
          const mayGoOn = () => !goesOn() || mine.ahead(topic, partition) <= farthest / 2
          stopped.add({ mayGoOn, resume: pause() })
          gate.wakeOne()
          return
        }
        const message = messages[i]
        if (!message) return
        // Behind the last message there may be markers of transactions, which are nobody's delivery.
        const next = BigInt(i === last ? batch.lastOffset() : message.offset) + 1n
        handed = i
        try {
          membership.onDelivery(mine.handOut(topic, partition, fetched(message), next))
        } catch (thrown) {
          logger.error({ err: asError(thrown), topic, partition, offset: message.offset }, 'onDelivery threw')
        }
      }
    } finally {
      const message = messages[handed]
      if (message && goesOn()) resolveOffset(message.offset)
    }
  }

  async function beat(send: () => Promise<void>): Promise<void> {
    try {
      await send()
    } catch (thrown) {
      const error = asError(thrown) as Error & { type?: string }
      if (LOST.has(error.type ?? '')) {
        revoking ??= revoke(error)
        await revoking
      } else gate.fail(error)
      throw error
    }
  }

  async function revoke(error: Error & { type?: string }): Promise<void> {
    if (error.type === 'REBALANCE_IN_PROGRESS') {
      await drained(REVOCATION_DRAIN_MS)
      await committer.commit()
    }
    endAssignment()
    gate.fail(error)
  }

  function resumeStopped(): void {
    for (const partition of stopped) {
      if (!partition.mayGoOn()) continue
      stopped.delete(partition)
      partition.resume()
    }
  }

  function endAssignment(): void {
    state.assignment?.end()
    resumeStopped()
    drain.end()
  }

  const drained = async (ms: number) => {
    if (state.assignment?.live && state.assignment.out > 0) await drain.wait(ms)
  }

  return {
    gate,
    drained,
    endAssignment,
    busy: () => busy,
    async eachBatch(payload) {
      const mine = state.assignment
      const { topic, partition } = payload.batch
      heartbeat = payload.heartbeat
      busy++
      try {
        if (revoking || !mine?.live || payload.isStale() || !mine.owns(topic, partition)) {
          await (revoking ?? sleep(20))
        } else {
          await handOut(payload, mine)
        }
        // Before kafkajs sends its own, so that a revocation is noticed where there is time for it.
        await beat(payload.heartbeat)
      } finally {
        busy--
      }
    },
    onDone() {
      committer.schedule()
      gate.wakeOne()
      resumeStopped()
      if ((state.assignment?.out ?? 0) === 0) drain.end()
    },
    rejoined() {
      revoking = undefined
    },
    stop() {
      clearInterval(beating)
    }
  }
}

/** kafkajs takes what Object.prototype has for a first value of a header of that name; the last is the sender's. */
function fetched({ offset, timestamp, key, value, headers = {} }: KafkaMessage): Fetched {
  const read = Object.entries(headers).map(([name, found]): [Buffer, Buffer | null] => {
    const last = Array.isArray(found) ? found[found.length - 1] : found
    return [Buffer.from(name), typeof last === 'string' ? Buffer.from(last) : (last ?? null)]
  })
  return { offset: BigInt(offset), timestamp: BigInt(timestamp), key, value, headers: read }
}
