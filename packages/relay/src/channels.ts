import { type Channel, channel } from 'node:diagnostics_channel'
import type { PublishResult } from '@steadfast/events'
import type { DueEvent } from '@steadfast/store/internal'

/** A batch was read and is about to be sent, or, while another is being sent, to wait its turn. */
export interface BatchFetched {
  events: readonly DueEvent[]
}
/** The transport has answered for every event of the batch; nothing of it is in the database yet. */
export interface BatchSent {
  events: readonly DueEvent[]
  results: readonly PublishResult[]
}
/** A topic took nothing of a batch, or takes events again. */
export interface TopicChanged {
  topic: string
  state: 'failing' | 'recovered'
  /** The broker says that it is missing, or that it may not be written. */
  unavailable: boolean
  /** What the transport said, of one that fails. */
  reason?: string
}
/** The transport took nothing of any topic, or takes events again: a broker that is away, most often. */
export interface TransportChanged {
  /** Its name, e.g. `kafka`. */
  transport: string
  state: 'failing' | 'recovered'
  /** What it said last, while it fails. */
  reason?: string
}
/** Events, and signals, that are due no longer, because their topic was unavailable for too long. */
export interface TopicGivenUp {
  topic: string
  /** Ids that wait for a person. */
  parked: readonly string[]
  /** Ids of signals. */
  dropped: readonly string[]
}
/** Ids of acknowledged events: about to be marked, or marked; what could not be marked comes again. */
export interface Marked {
  ids: readonly string[]
}

const named = <Message>(name: string) => channel(name) as unknown as Channel<Message>

/**
 * Named points of the relay, published synchronously and only when somebody subscribes: for tracing, and where tests
 * wait for the relay or end its process.
 */
export const batchFetched: Channel<BatchFetched> = named('steadfast:relay:batch-fetched')
export const batchSent: Channel<BatchSent> = named('steadfast:relay:batch-sent')
export const beforeMark: Channel<Marked> = named('steadfast:relay:before-mark')
export const afterMark: Channel<Marked> = named('steadfast:relay:after-mark')
export const topicChanged: Channel<TopicChanged> = named('steadfast:relay:topic-changed')
export const transportChanged: Channel<TransportChanged> = named('steadfast:relay:transport-changed')
export const topicGivenUp: Channel<TopicGivenUp> = named('steadfast:relay:topic-given-up')
