import type { TopicKey } from '@steadfast/store/internal'
import { type Circuit, circuit } from './circuit.ts'
import { type FailingKeys, failingKeys } from './failing-keys.ts'
import type { TopicOutcome } from './topic-outcomes.ts'

/** A topic that takes nothing now. */
export interface FailingTopic {
  topic: string
  /** What the transport said last. */
  reason: string
  /** The broker says that it is missing, or that it may not be written. */
  unavailable: boolean
  /** For how long this relay has been finding it so, in ms. */
  forMs: number
}

/** What the relay remembers of topics to which sends failed. Nothing is known of one that is not here. */
export interface FailingTopics {
  /** Topics that take nothing: left to probes. */
  shut(): string[]
  /** Those of them whose next probe may be made now, the longest waiting first. */
  toProbe(most: number): string[]
  /** Keys that are backed off while other keys of their topic are sent. */
  excludedKeys(): TopicKey[]
  /** Takes in what became of a batch, and says what that changed. */
  settle(outcome: TopicOutcome): 'failing' | 'recovered' | undefined
  /** Whether sends of this key, or all sends of its topic, have been failing for more than a moment. */
  persists(of: TopicKey): boolean
  /** Of these, topics whose long waiting events have not been looked at for a while, with what the last look told. */
  toGiveUp(topics: readonly string[]): { topic: string; since?: Date | undefined }[]
  /** Since when the topic is unavailable by the database's clock, and whether to look again at once. */
  lookedAt(topic: string, found: { since: Date | null; more: boolean }): void
  /** Nothing of this topic may be tried, so that nothing could be found out: forgotten, or its keys are tried again. */
  notFound(topic: string): void
  /** The transport works again: everything may be tried, but for what the broker says is unavailable. */
  transportRecovered(): void
  clear(): void
  /** ms until something may be tried again; undefined when nothing waits. */
  nextMs(): number | undefined
  /** Those that take nothing, for people. */
  list(): FailingTopic[]
}

interface State {
  keys: FailingKeys
  circuit: Circuit
  unavailable: boolean
  since: number
  unavailableSince: Date | undefined
  nextLook: number
}

const BACK_OFF = { firstMs: 100, lastMs: 5000 }
// So many failures in a row are more than a moment.
const PERSISTENT = 3
// A fetch carries them as a parameter. Past the bound the one that has been waiting longest is tried early.
const MAX_TOPICS = 10_000

export function failingTopics({ lookEveryMs }: { lookEveryMs: number }): FailingTopics {
  const topics = new Map<string, State>()
  const isShut = ({ circuit }: State) => circuit.reason !== undefined
  const shut = () => [...topics].filter(([, state]) => isShut(state))

  function stateOf(topic: string): State {
    // Put at the end, so that the first is always the one that was tried least lately.
    const state = topics.get(topic) ?? {
      keys: failingKeys(),
      circuit: circuit(BACK_OFF),
      unavailable: false,
      since: performance.now(),
      unavailableSince: undefined,
      nextLook: 0
    }
    topics.delete(topic)
    const [oldest] = topics.size >= MAX_TOPICS ? topics.keys() : []
    if (oldest !== undefined) topics.delete(oldest)
    topics.set(topic, state)
    return state
  }

  return {
    shut: () => shut().map(([topic]) => topic),
    toProbe: most =>
      shut()
        .filter(([, { circuit }]) => circuit.waitMs() === 0)
        .slice(0, most)
        .map(([topic]) => topic),
    excludedKeys: () => [...topics].flatMap(([topic, { keys }]) => keys.excluded().map(key => ({ topic, key }))),
    settle({ topic, answered, unavailable, sentKeys, failedKeys, reason = 'unknown' }) {
      if (failedKeys.size === 0 && !topics.has(topic)) return undefined
      const state = stateOf(topic)
      const wasShut = isShut(state)
      if (answered && wasShut && failedKeys.size === 0) state.keys.clear()
      for (const key of sentKeys) state.keys.succeeded(key)
      for (const key of failedKeys) state.keys.failed(key)
      if (answered) {
        state.circuit.succeeded()
        state.unavailable = false
        if (state.keys.isEmpty()) topics.delete(topic)
        return wasShut ? 'recovered' : undefined
      }
      if (!wasShut) state.since = performance.now()
      state.unavailable = unavailable
      if (!unavailable) state.unavailableSince = undefined
      // Of a topic that is missing each key fails alike; of any other, probes go on to keys that were not tried.
      if (unavailable) state.keys.clear()
      state.circuit.failed(reason)
      return wasShut ? undefined : 'failing'
    },
    persists({ topic, key }) {
      const state = topics.get(topic)
      return state !== undefined && Math.max(state.circuit.failures, state.keys.failures(key)) >= PERSISTENT
    },
    toGiveUp: unavailable =>
      unavailable.flatMap(topic => {
        const state = topics.get(topic)
        if (state === undefined || state.nextLook > performance.now()) return []
        return [{ topic, since: state.unavailableSince }]
      }),
    lookedAt(topic, { since, more }) {
      const state = topics.get(topic)
      if (state === undefined) return
      state.unavailableSince = since ?? undefined
      state.nextLook = more ? 0 : performance.now() + lookEveryMs
    },
    notFound(topic) {
      const keys = topics.get(topic)?.keys
      if (keys === undefined || keys.isEmpty()) topics.delete(topic)
      else keys.clear()
    },
    transportRecovered() {
      for (const [topic, { unavailable }] of topics) if (!unavailable) topics.delete(topic)
    },
    clear: () => topics.clear(),
    nextMs() {
      const waits = [...topics.values()].map(state =>
        isShut(state) ? state.circuit.waitMs() || undefined : state.keys.nextMs()
      )
      const known = waits.filter(ms => ms !== undefined)
      return known.length === 0 ? undefined : Math.min(...known)
    },
    list: () =>
      shut().map(([topic, { circuit, unavailable, since }]) => ({
        topic,
        reason: circuit.reason ?? 'unknown',
        unavailable,
        forMs: Math.round(performance.now() - since)
      }))
  }
}
