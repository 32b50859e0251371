import type { PublishResult } from '@steadfast/events'
import type { DueEvent, TopicKey } from '@steadfast/store/internal'

/** What became of the events of one topic in a batch. */
export interface TopicOutcome {
  topic: string
  /** The topic took something, or the broker refused an event of it for that event's own sake. */
  answered: boolean
  /** The broker answered that the topic is missing, or that it may not be written. */
  unavailable: boolean
  sentKeys: Set<string>
  /** Keys of which an event failed and none was refused: a key goes on behind a refused one. */
  failedKeys: Set<string>
  /** Of the first event that failed. */
  reason: string | undefined
}

/** The outcomes of a batch, topic by topic. */
export function topicOutcomes(batch: readonly DueEvent[], results: readonly PublishResult[]): TopicOutcome[] {
  const outcomes = new Map<string, TopicOutcome & { refusedKeys: Set<string> }>()
  for (const [i, { topic, key }] of batch.entries()) {
    const outcome = outcomes.get(topic) ?? {
      topic,
      answered: false,
      unavailable: false,
      sentKeys: new Set(),
      failedKeys: new Set(),
      refusedKeys: new Set(),
      reason: undefined
    }
    outcomes.set(topic, outcome)
    const result = results[i]
    if (result === undefined || result.ok) {
      outcome.answered = true
      outcome.sentKeys.add(key)
    } else if (result.kind === 'refused') {
      outcome.answered = true
      outcome.refusedKeys.add(key)
    } else {
      outcome.unavailable ||= result.about === 'topic'
      outcome.failedKeys.add(key)
      outcome.reason ??= result.error.message
    }
  }
  return [...outcomes.values()].map(({ refusedKeys, ...outcome }) => {
    for (const key of refusedKeys) outcome.failedKeys.delete(key)
    for (const key of [...refusedKeys, ...outcome.failedKeys]) outcome.sentKeys.delete(key)
    return outcome
  })
}

/** What may not be sent, since an earlier event of its key failed, or its topic takes nothing. */
export interface Unfit {
  add(of: TopicKey): void
  addTopic(topic: string): void
  has(of: TopicKey): boolean
}

export function unfit(): Unfit {
  const topics = new Set<string>()
  const keys = new Set<string>()
  // PostgreSQL's text has no NUL, so that no two pairs are written alike.
  const pair = ({ topic, key }: TopicKey) => `${topic}\u0000${key}`
  return {
    add: of => void keys.add(pair(of)),
    addTopic: topic => void topics.add(topic),
    has: of => topics.has(of.topic) || keys.has(pair(of))
  }
}
