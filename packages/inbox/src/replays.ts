import type { Subscription } from '@steadfast/events'
import { advanceReplay, currentReplay, type Replay } from '@steadfast/store/internal'
import type { Consumer, Replays } from './types.ts'

/** Beyond the second the log is not rewound: what it did not bring twice, it does not hold. */
const PASSES = 2
/** A pass lasts at least so long, and three looks of each process: time enough for all of them to hear of it. */
const SETTLE_MS = 15_000

export function createReplays(): Replays {
  let current: Replay | undefined
  let rewound = ''

  async function rewind(consumer: Consumer, subscription: Subscription, replay: Replay): Promise<void> {
    const pass = `${replay.id} ${replay.pass}`
    if (rewound === pass) return
    consumer.log.warn({ replay }, 'the log is rewound for a replay')
    await subscription.rewind(replay.logFrom ?? 'beginning')
    rewound = pass
  }

  return {
    async look(consumer) {
      const { subscription, db, name } = consumer
      if (subscription === undefined) return
      current = await currentReplay(db, name)
      if (current === undefined) return
      if (current.pass > 0) await rewind(consumer, subscription, current)
      if (!(await isRead(consumer, subscription, current))) return
      const before = current
      const advanced = await advance(consumer, subscription, current)
      if (advanced.outcome === 'waits') return
      current = await currentReplay(db, name)
      if (advanced.outcome === 'ended') {
        const level = advanced.missing > 0 ? 'error' : 'warn'
        consumer.log[level]({ replay: before, missing: advanced.missing }, 'a replay has ended')
      }
      if (current !== undefined && current.pass > 0) await rewind(consumer, subscription, current)
    },
    get current() {
      return current
    }
  }
}

const canRewind = ({ host }: Consumer) => host.transport.capabilities.rewind

/** Whether the group has read past the end of a pass. What has not begun, or never can, is not waited for. */
async function isRead(consumer: Consumer, subscription: Subscription, { pass, passEnd }: Replay): Promise<boolean> {
  if (pass === 0 || passEnd === null || !canRewind(consumer)) return true
  return (await subscription.lag(passEnd)) === 0n
}

async function advance(consumer: Consumer, subscription: Subscription, { id, pass }: Replay) {
  const settleMs = Math.max(SETTLE_MS, 3 * consumer.options.retryPollMs)
  if (canRewind(consumer))
    return await advanceReplay(consumer.db, { id, pass, passes: PASSES, end: await subscription.end(), settleMs })
  consumer.log.error({ replay: id }, `transport "${consumer.host.transport.name}" cannot rewind: no replay`)
  return await advanceReplay(consumer.db, { id, pass, passes: 0, end: '', settleMs })
}
