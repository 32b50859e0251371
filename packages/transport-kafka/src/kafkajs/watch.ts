import type { Consumer } from 'kafkajs'
import type { Settings } from '../options.ts'

/** Watches whether a consumer does anything. */
export interface Watcher {
  /** On how many brokers a fetch is under way. */
  fetching(): number
  joined(): void
  rejoining(): void
  stop(): void
}

/**
 * Calls `onSilence` when a joined consumer has neither fetched nor sent a heartbeat for a whole session time-out (the
 * broker has given it up by then), or when a join takes longer than a rebalance may.
 */
export function watch(consumer: Consumer, settings: Settings, onSilence: (reason: Error) => void): Watcher {
  const { FETCH, FETCH_START, HEARTBEAT } = consumer.events
  const fetches = new Set<string>()
  let joined = false
  let last = Date.now()
  const active = () => {
    last = Date.now()
  }
  consumer.on(HEARTBEAT, active)
  consumer.on(FETCH_START, ({ payload }) => void fetches.add(String(payload.nodeId)))
  consumer.on(FETCH, ({ payload }) => {
    fetches.delete(String(payload.nodeId))
    active()
  })
  const joinMs = settings.rebalanceTimeoutMs + settings.requestTimeoutMs
  const timer = setInterval(
    () => {
      const limitMs = joined ? settings.sessionTimeoutMs : joinMs
      const silentMs = Date.now() - last
      if (silentMs > limitMs) onSilence(new Error(`no ${joined ? 'fetch or heartbeat' : 'join'} for ${silentMs} ms`))
    },
    Math.ceil(settings.sessionTimeoutMs / 4)
  )
  timer.unref()
  return {
    fetching: () => fetches.size,
    joined() {
      joined = true
      active()
    },
    rejoining() {
      joined = false
      fetches.clear()
      active()
    },
    stop: () => clearInterval(timer)
  }
}
