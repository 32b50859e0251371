import { createHash } from 'node:crypto'
import { RUN_AHEAD } from '@steadfast/events'
import type { Assignment, Fetched } from '../assignment.ts'
import type { Membership } from '../driver.ts'
import type { Gate } from '../gate.ts'
import type { Logger } from '../options.ts'
import { asError } from '../within.ts'
import type { Lane } from './lane.ts'
import type { Records } from './read-records.ts'

/** Hands out what was fetched, each partition in its order, as far as there is room. */
export interface HandOut {
  /** Whether one more may be handed out. */
  hasRoom(mine: Assignment): boolean
  /** Hands out what a partition has brought. Resolves when all of it is, or nothing more of it may be. */
  handOut(mine: Assignment, lane: Lane, read: Records): Promise<void>
  /** Something is done: who ran ahead may go on. */
  look(): void
}

/** `isOpen`: whether anything may be handed out now, apart from how much is out. */
export function createHandOut(
  { maxInFlight, onDelivery }: Membership,
  gate: Gate,
  isOpen: () => boolean,
  logger: Logger
): HandOut {
  const farthest = maxInFlight * RUN_AHEAD
  const stopped = new Set<() => void>()

  const hasRoom = (mine: Assignment) => isOpen() && mine.out < maxInFlight

  /** What keeps from handing out one more: undefined: nothing · `over`: it is not to be handed out any more. */
  function obstacle(mine: Assignment, lane: Lane, goesOn: () => boolean): Promise<void> | 'over' | undefined {
    if (!goesOn()) return 'over'
    if (!hasRoom(mine)) return gate.wait()
    const ahead = () => mine.ahead(lane.topic, lane.partition)
    if (ahead() < farthest) return undefined
    lane.phase = 'ahead'
    gate.wakeOne()
    return new Promise(resolve => {
      const look = () => {
        if (goesOn() && ahead() > farthest / 2) return
        stopped.delete(look)
        if (goesOn()) lane.phase = 'out'
        resolve()
      }
      stopped.add(look)
    })
  }

  return {
    hasRoom,
    async handOut(mine, lane, { records, next, unreadable }) {
      const { topic, partition } = lane
      const run = mine.run(topic, partition)
      const goesOn = () => mine.live && mine.run(topic, partition) === run
      const all = unreadable === undefined ? records : [...records, aboutUnreadable(unreadable)]
      const end = unreadable?.next ?? next
      lane.phase = 'out'
      for (const [i, record] of all.entries()) {
        // Looked at last, so that nobody comes in between.
        for (let what = obstacle(mine, lane, goesOn); what !== undefined; what = obstacle(mine, lane, goesOn)) {
          if (what === 'over') return
          await what
        }
        try {
          // Behind a message there may be what is nobody's delivery.
          onDelivery(mine.handOut(topic, partition, record, all[i + 1]?.offset ?? end))
        } catch (thrown) {
          logger.error({ err: asError(thrown), topic, partition, offset: `${record.offset}` }, 'onDelivery threw')
        }
      }
      if (!goesOn()) return
      if (all.length === 0 && end > lane.offset) mine.skip(topic, partition, end)
      lane.offset = end
      lane.phase = 'idle'
    },
    look() {
      for (const look of [...stopped]) look()
    }
  }
}

/** In the place of records that cannot be read: what is no event, so that a person sees it. */
function aboutUnreadable({ reason, offset, bytes }: NonNullable<Records['unreadable']>): Fetched {
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const value = Buffer.from(JSON.stringify({ unreadable: reason, bytes: bytes.length, sha256 }))
  return { offset, timestamp: BigInt(Date.now()), key: null, value, headers: [] }
}
