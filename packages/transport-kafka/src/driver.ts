import type { Delivery } from '@steadfast/events'
import type { Assignment, Commit } from './assignment.ts'
import type { Entry } from './record-size.ts'

/** What a client of Kafka does for the transport. There are two: of `@platformatic/kafka` and of `kafkajs`. */
export interface Driver {
  cluster: Cluster
  /** `onConnected` is called each time that a broker has been found. */
  createProducer(onConnected: () => void): Producer
  createMember(membership: Membership): Member
}

/** What a broker knows of a topic. */
export interface TopicView {
  /** The name of the broker's error, e.g. `UNKNOWN_TOPIC_OR_PARTITION`. */
  error: string | undefined
  /** Node id of the leader, by partition; -1: it has none at present. */
  leaders: readonly number[]
  /** Copies of the partition that has the fewest; undefined: there is none. */
  replicas: number | undefined
}

/** A topic that is to be made. */
export interface NewTopic {
  name: string
  partitions: number
  replicationFactor: number
  configs: readonly { name: string; value: string }[]
}

/** An offset of each partition, by topic. */
export type Offsets = Map<string, Map<number, bigint>>

/** What is asked of brokers. Everything is bounded in time. */
export interface Cluster {
  /** Asks for topics; what is wrong with one says nothing of the others. */
  topics(names: readonly string[]): Promise<Map<string, TopicView>>
  /** These settings of a topic, those that are told. */
  settingsOf(topic: string, names: readonly string[]): Promise<Map<string, string>>
  /** @throws SF_TRANSPORT_KAFKA_NO_ANSWER when no broker answers */
  countBrokers(): Promise<number>
  /** Makes topics. One that is there already stays as it is. */
  createTopics(topics: readonly NewTopic[]): Promise<void>
  /**
   * The offset in each partition of the topics: of the first message that is held, of the next one that will be committed,
   * or of the first that is not older than a time; -1: there is none of that time.
   */
  offsets(topics: readonly string[], at: 'beginning' | 'end' | Date): Promise<Offsets>
  /** The offsets that a group has committed, of these partitions; of one without there is none. */
  committed(group: string, of: Offsets): Promise<Offsets>
  close(): Promise<void>
}

/** One record batch for one partition. */
export interface PartitionBatch {
  topic: string
  partition: number
  entries: readonly Entry[]
}

/** Names a partition in what a {@link Producer} answers. */
export const partitionName = (topic: string, partition: number): string => `${topic}/${partition}`

/** Sends record batches. A broker that is away concerns its own partitions only, and nothing is sent twice here. */
export interface Producer {
  /**
   * Sends batches to the leader of their partitions, and answers for each by its {@link partitionName}: undefined when
   * all replicas have it, or why not. `onSending` is called before anything can have been stored.
   */
  send(
    leader: number,
    batches: readonly PartitionBatch[],
    onSending: () => void
  ): Promise<Map<string, Error | undefined>>
  /** Looks whether a broker is there, so that `failure` knows. */
  connect(): Promise<void>
  /** A broker did not answer: looks, in the background, whether any does, until one does. */
  failed(reason: Error): void
  /** Why nothing can be published now. */
  failure(): Error | undefined
  close(deadlineMs: number): Promise<void>
}

/** What a member consumes, and whom it tells. */
export interface Membership {
  group: string
  topics: readonly string[]
  maxInFlight: number
  /** The name of this member in all its lives, by which the next one takes the place of the last at once. */
  instanceId: string
  onDelivery(delivery: Delivery): void
  /** After each join or rejoin. */
  onJoin(): void
  /** Once, when the member is of no use any more. */
  onEnd(reason: Error): void
}

/** One membership of a group, from the first join until it is left. */
export interface Member {
  start(): void
  /** What it owns now; undefined while it has not joined. */
  assignment(): Assignment | undefined
  /** What it was given and cannot read now, and why. */
  failure(): string | undefined
  /** What it was given and does not read, so that nobody does, for a person. */
  unread(): string | undefined
  /** Paused, it hands nothing out. Membership and positions are kept. */
  setPaused(paused: boolean): void
  commit(): Promise<void>
  /**
   * Takes partitions of an assignment back to these offsets, and commits them. What was handed out of them is stale.
   *
   * @returns false when the assignment has ended; nothing was moved
   */
  rewind(assignment: Assignment, to: readonly Commit[]): Promise<boolean>
  /** Waits until what was handed out is done, or `drainMs`; commits, leaves, disconnects. */
  stop(drainMs: number): Promise<void>
}

/** How long the group waits for what a member has handed out, before its partitions go to others. */
export const REVOCATION_DRAIN_MS = 2000
