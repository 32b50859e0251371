import { LANES } from '@steadfast/events'
import { beatRelay, type Db, leaveRelay } from '@steadfast/store'
import type { FastifyBaseLogger } from 'fastify'

/** Keeps this relay among the living and says which lanes are its. */
export interface Heartbeat {
  /** Those of the last beat. Beats now when none was, or when nothing else makes it beat. */
  lanes(): Promise<readonly number[]>
  /** Relays that live, as of the last beat. */
  relays(): number
  start(): void
  /** Stops beating and leaves. Never rejects. */
  leave(): Promise<void>
}

/** All lanes there are. */
export const ALL_LANES: readonly number[] = Array.from({ length: LANES }, (_, lane) => lane)

/**
 * Relay i of n living ones takes every lane with `lane % n = i`. Two relays may disagree for a beat about who lives:
 * that costs duplicates, never order. When beats fail, the lanes stay as they were.
 */
export function heartbeat(
  db: Db,
  id: string,
  { beatIntervalMs, deadAfterMs, log }: { beatIntervalMs: number; deadAfterMs: number; log: FastifyBaseLogger }
): Heartbeat {
  let living: string[] = []
  let lanes: readonly number[] = []
  let timer: NodeJS.Timeout | undefined
  let beating: Promise<void> = Promise.resolve()
  let left = false

  async function beat(): Promise<void> {
    living = await beatRelay(db, id, { staleMs: deadAfterMs })
    const index = living.indexOf(id)
    lanes = ALL_LANES.filter(lane => lane % living.length === index)
  }

  function next(): void {
    timer = setTimeout(() => {
      beating = beat()
        .catch(error => log.debug({ err: error }, 'a beat of the relay failed'))
        .then(() => {
          if (!left) next()
        })
    }, beatIntervalMs).unref()
  }

  return {
    async lanes() {
      if (living.length === 0 || timer === undefined) await beat()
      return lanes
    },
    relays: () => living.length,
    start: next,
    async leave() {
      left = true
      clearTimeout(timer)
      await beating
      if (living.length > 0)
        await leaveRelay(db, id).catch(error => log.debug({ err: error }, 'the relay left no word'))
    }
  }
}
