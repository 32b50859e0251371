import type { Database } from './database.ts'
import { startLoop } from './loop.ts'
import type { Logger, Settings } from './options.ts'
import { advanceBeginnings } from './sql/advance-beginnings.ts'
import { purgeRecords } from './sql/purge-records.ts'

export interface Purging {
  purge(): Promise<number>
  stop(): Promise<void>
}

const INTERVAL_MS = 60_000
const LIMIT = 1000

/** Deletes what is over its time once a minute, in steps of at most a thousand messages per partition. */
export function startPurging(
  db: Database,
  { retentionMs }: Settings,
  ready: () => Promise<void>,
  logger: Logger
): Purging {
  let stopped = false

  async function purge(): Promise<number> {
    await ready()
    let total = 0
    while (!stopped) {
      const { purged, beginnings } = await purgeRecords(db, retentionMs, LIMIT)
      if (purged === 0) break
      await advanceBeginnings(db, beginnings)
      total += purged
    }
    if (total > 0) logger.debug({ messages: total }, 'deleted messages that were over their time')
    return total
  }

  const loop = startLoop({
    async run() {
      await purge()
      return INTERVAL_MS
    },
    onError: error => logger.debug({ err: error }, 'retention failed; trying again')
  })

  return {
    purge,
    stop() {
      stopped = true
      return loop.stop()
    }
  }
}
