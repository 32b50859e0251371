import { LANES } from '@steadfast/events'
import { beatRelay, type Db, databaseProblem, leaveRelay } from '@steadfast/store/internal'
import type { FastifyBaseLogger } from 'fastify'

/** Keeps this relay among the living while it can send, and says which lanes are its. */
export interface Heartbeat {
  /** Those of the last beat. Beats now when none was, when nothing else makes it beat, or when it can send again. */
  lanes(): Promise<readonly number[]>
  /** It has left its lanes to others, as it cannot send. */
  isIll(): boolean
  /** Why the last beat failed. */
  failure(): string | undefined
  /** Relays that live, as of the last beat. */
  relays(): number
  start(): void
  /** Stops beating and leaves. Never rejects. */
  leave(): Promise<void>
}

export interface HeartbeatSettings {
  beatIntervalMs: number
  deadAfterMs: number
  /** Whether this relay can send, as far as is known. */
  canSend(): boolean
  log: FastifyBaseLogger
}

/** All lanes there are. */
export const ALL_LANES: readonly number[] = Array.from({ length: LANES }, (_, lane) => lane)

/**
 * Relay i of n living ones takes every lane with `lane % n = i`. Two relays may disagree for a beat about who lives:
 * that costs duplicates, never order. When beats fail, the lanes stay as they were.
 *
 * A relay that cannot send leaves the living. What it still tries then is in the lanes it had, or in all of them when
 * nobody else lives.
 */
export function heartbeat(db: Db, id: string, settings: HeartbeatSettings): Heartbeat {
  const { beatIntervalMs, deadAfterMs: staleMs, canSend, log } = settings
  let standing: 'new' | 'living' | 'ill' | 'gone' = 'new'
  let relays = 0
  let lanes: readonly number[] = []
  let failure: string | undefined
  let timer: NodeJS.Timeout | undefined
  let beating: Promise<void> = Promise.resolve()

  async function join(): Promise<void> {
    const living = await beatRelay(db, id, { staleMs })
    const index = living.indexOf(id)
    lanes = ALL_LANES.filter(lane => lane % living.length === index)
    relays = living.length
    if (standing === 'ill') log.info({ relays }, 'the relay can send again, and takes its lanes')
    standing = 'living'
  }

  async function standBack(): Promise<void> {
    const others = await leaveRelay(db, id, { staleMs })
    if (!others) lanes = ALL_LANES
    if (standing !== 'ill') log.warn({ others }, 'the relay cannot send, and leaves its lanes to others')
    standing = 'ill'
  }

  async function beatOnce(): Promise<void> {
    if (standing === 'gone') return
    try {
      await (canSend() ? join() : standBack())
      failure = undefined
    } catch (error) {
      failure = databaseProblem(error)
      throw error
    }
  }

  // One at a time, so that what is known here is what was done last.
  function beat(): Promise<void> {
    beating = beating.catch(() => {}).then(beatOnce)
    return beating
  }

  function next(): void {
    timer = setTimeout(() => {
      beat()
        .catch(error => log.debug({ err: error }, 'a beat of the relay failed'))
        .then(() => {
          if (standing !== 'gone') next()
        })
    }, beatIntervalMs).unref()
  }

  return {
    async lanes() {
      if (standing === 'new' || timer === undefined || (standing === 'ill' && canSend())) await beat()
      return lanes
    },
    isIll: () => standing === 'ill',
    failure: () => failure,
    relays: () => relays,
    start: next,
    async leave() {
      const known = standing !== 'new'
      await beating.catch(() => {})
      standing = 'gone'
      clearTimeout(timer)
      if (known)
        await leaveRelay(db, id, { staleMs }).catch(error => log.debug({ err: error }, 'the relay left no word'))
    }
  }
}
