/** What a subscription wants to hear of. */
export interface Listening {
  group: string
  topics: readonly string[]
  /** There may be new messages. */
  wake(): void
  /** The members of the group, or their shares, have changed. */
  regroup(): void
}

/** A hint that something has changed. */
export interface Hint {
  topics: readonly string[]
  groups: readonly string[]
}

/** The subscriptions of this process, reached by hints. */
export interface Hub {
  add(listening: Listening): () => void
  tell(hint: Hint): void
  /** Anything may have changed. */
  tellAll(): void
}

export function createHub(): Hub {
  const all = new Set<Listening>()
  return {
    add(listening) {
      all.add(listening)
      return () => void all.delete(listening)
    },
    tell({ topics, groups }) {
      for (const listening of all) {
        if (groups.includes(listening.group)) listening.regroup()
        if (topics.some(topic => listening.topics.includes(topic))) listening.wake()
      }
    },
    tellAll() {
      for (const listening of all) {
        listening.regroup()
        listening.wake()
      }
    }
  }
}
