import { activeReplays, type Replay } from '@steadfast/store'
import type { Consumer } from './consumer.ts'
import type { Item } from './context.ts'

/** The replays of one group, as this process knows them. */
export interface Replays {
  /** Looks for new ones and rewinds this process's part of the log, once for each. */
  look(consumer: Consumer): Promise<void>
  /** The replay a known delivery belongs to; `reread` when it only comes again because the log was rewound. */
  match(item: Item): Replay | 'reread' | undefined
}

export function createReplays(): Replays {
  const seen = new Set<string>()
  let active: Replay[] = []
  return {
    async look(consumer) {
      active = await activeReplays(consumer.db, consumer.name)
      for (const replay of active) {
        if (seen.has(replay.id)) continue
        if (!consumer.host.transport.capabilities.rewind) {
          consumer.log.error({ replay }, `transport "${consumer.host.transport.name}" cannot rewind: no replay`)
        } else {
          consumer.log.warn({ replay }, 'replay begins')
          await consumer.subscription?.rewind(replay.fromTime)
        }
        seen.add(replay.id)
      }
    },
    match({ deliveredAt }) {
      const within = active.filter(({ fromTime }) => deliveredAt >= fromTime)
      return within.findLast(({ untilTime }) => deliveredAt <= untilTime) ?? (within.length > 0 ? 'reread' : undefined)
    }
  }
}
