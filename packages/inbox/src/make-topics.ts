import { setTimeout as sleep } from 'node:timers/promises'
import { backoffMs, pause } from '@steadfast/events/runtime'
import type { FastifyBaseLogger } from 'fastify'
import type { Host } from './types.ts'

/** So long the start of a server waits for a broker that neither does it nor says why not. */
const FIRST_MS = 5_000

/** Makes topics, in the background if need be: a broker that is away, or does not allow it, ends no start. */
export interface TopicMaker {
  /** Resolves when they are there, or have failed to be made once, or after five seconds. */
  begun: Promise<void>
  /** Why some may be missing. `undefined`: they are there. */
  reason(): string | undefined
}

export function makeTopics(
  topics: readonly { name: string; partitions: number }[],
  {
    host,
    log,
    closing,
    options: { pauseMs, pauseMaxMs }
  }: { host: Host; log: FastifyBaseLogger; closing: AbortSignal; options: { pauseMs: number; pauseMaxMs: number } }
): TopicMaker {
  let reason: string | undefined = 'not made yet'

  /** True when they are there. */
  async function attempt(): Promise<boolean> {
    try {
      await host.transport.ensureTopics(topics)
      reason = undefined
      return true
    } catch (error) {
      const { message } = error as Error
      if (!closing.aborted && reason !== message) log.warn({ err: error }, 'topics could not be made; tried again')
      reason = message
      return false
    }
  }

  async function goOn(): Promise<void> {
    for (let tries = 0; !closing.aborted; tries++) {
      await pause(backoffMs(tries, { firstMs: pauseMs, lastMs: pauseMaxMs }), closing)
      if (closing.aborted || !(await attempt())) continue
      log.info('the topics are there')
      return
    }
  }

  const first = attempt().then(made => {
    if (!made) void goOn()
  })
  const ended = new AbortController()
  const late = sleep(FIRST_MS, undefined, { signal: ended.signal, ref: false }).catch(() => {})
  return {
    begun: Promise.race([first, late]).finally(() => ended.abort()),
    reason: () => reason
  }
}
