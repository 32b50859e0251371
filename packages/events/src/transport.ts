import type { TopicFacts } from './topic-facts.ts'

/** A message as the relay hands it to a transport. */
export interface Outgoing {
  topic: string
  /** Messages of one key keep their order where the transport's `order` is `'key'`. */
  key: string
  headers: Record<string, Buffer>
  value: Buffer
  /**
   * Publish only to a topic that exists: where it is missing, the message is `unavailable`, about the topic, and nothing
   * is created. Default: the transport may create the topic.
   */
  mustExist?: boolean
}

/**
 * What became of one message:
 * `refused` will never be taken as it is (too large, unknown topic by policy); `unavailable` was certainly not
 * stored, or not attempted because an earlier message of its key failed; `unknown` may have been stored.
 *
 * `about` is `'topic'` where the broker answered that the topic is missing or that this client may not write to it, so
 * that nothing for this topic will be taken until somebody mends it. It says nothing about other topics.
 */
export type PublishResult =
  | { ok: true }
  | { ok: false; kind: 'refused' | 'unavailable' | 'unknown'; about?: 'topic'; error: Error }

/** One arrival of a message at a consumer group. */
export interface Delivery {
  topic: string
  /** As the producer wrote it: bytes, which need be no text. Absent when the producer set none. */
  key?: Buffer
  headers: Record<string, Buffer>
  raw: Buffer
  /** Whether the producer set no value, which is not an empty one. Absent where the log knows no such thing. */
  hasNoValue?: boolean
  /** When the log took the message. */
  timestamp: Date
  /** Where the message stands in the log, unique per topic, e.g. `3:1042`. For people and for identity, not for arithmetic. */
  position: string
  /**
   * Acknowledges. The group's offset advances to the end of the contiguous prefix of done deliveries, so order of
   * calls does not matter. Idempotent; after a revocation, a rewind or close it is a no-op.
   */
  done(): void
}

/** A live membership of one consumer group. */
export interface Subscription {
  /** Stops handing out deliveries; membership and positions are kept. */
  pause(): void
  resume(): void
  /**
   * Messages of the group's topics that are not yet done, over all partitions of all members; with `upTo`, only those
   * before an {@link end} that was noted earlier.
   */
  lag(upTo?: string): Promise<bigint>
  /** The present end of the group's topics, as a text that is of use only to {@link lag}. */
  end(): Promise<string>
  /**
   * Takes the partitions this member owns back to their beginning, or to the first message that is not older than a
   * time; offsets included. Never forward: a partition whose committed offset is not behind that place is left as it is.
   * Deliveries of a partition that moved become stale: their `done()` is a no-op.
   *
   * @throws SF_EVENTS_REWIND_INVALID for what is neither `'beginning'` nor a valid Date; nothing was moved
   */
  rewind(to: 'beginning' | Date): Promise<void>
  /** Stops fetching, waits until handed-out deliveries are done or the deadline (ms) has passed, keeps offsets, leaves. */
  close(deadlineMs: number): Promise<void>
}

/** What a consumer asks of {@link Transport.subscribe}. */
export interface SubscribeOptions {
  /** The consumer group. A group that is new to a topic starts at its beginning. */
  group: string
  topics: readonly string[]
  /**
   * At most so many deliveries are handed out and not done. While one of them is not done, of its partition at most
   * {@link RUN_AHEAD} times as many run ahead: what lies behind waits until it is, and other partitions go on.
   */
  maxInFlight: number
}

/**
 * How far a partition may run ahead of a delivery that is not done, in multiples of `maxInFlight`. All of that comes again
 * after a crash, since the group's offset stands at the delivery that is not done.
 */
export const RUN_AHEAD = 4

/** The broker adapter. Every implementation passes `transportCompliance` of `@steadfast/events/compliance`. */
export interface Transport {
  /** For messages and logs, e.g. `kafka`. */
  readonly name: string
  readonly capabilities: {
    /** `'key'`: messages of one key arrive in the order in which they were published. */
    order: 'key' | 'none'
    /** Whether {@link Subscription.rewind} works. */
    rewind: boolean
    /** The largest value in bytes that the broker is known to take, where it is known. */
    maxBytes?: number
  }
  /** Creates missing topics and leaves existing ones as they are. Resolves when they can be published to. */
  ensureTopics(topics: readonly { name: string; partitions: number }[]): Promise<void>
  /**
   * What the broker keeps of these topics, as far as it tells: of one that is missing, or may not be seen, nothing but its
   * name. Rejects when nobody answers. Absent where a topic has no settings.
   */
  describeTopics?(topics: readonly string[]): Promise<TopicFacts[]>
  /**
   * Publishes a batch and answers per message: same length, same order. Never rejects because of the broker. After a
   * failed message of a key no later message of that key is appended. Bounded in time even if the broker hangs; an
   * aborted signal makes it settle early, with `unknown` for what was on its way.
   */
  publish(batch: readonly Outgoing[], signal: AbortSignal): Promise<PublishResult[]>
  /**
   * Joins a consumer group. `onDelivery` must not throw. Resolves once membership is being kept: a broker that is away
   * delays deliveries, and shows in {@link Transport.health}, but the subscription recovers by itself.
   */
  subscribe(options: SubscribeOptions, onDelivery: (delivery: Delivery) => void): Promise<Subscription>
  /**
   * Whether publishing and consuming can work now, from what is known locally; no round trip. When ready, `reason` may name
   * what a person should see to all the same.
   */
  health(): { ready: boolean; reason?: string }
  /** Closes subscriptions and connections. Idempotent. */
  close(deadlineMs: number): Promise<void>
}
