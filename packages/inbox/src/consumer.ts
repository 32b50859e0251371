import type { Delivery, Subscription } from '@steadfast/events'
import { type Db, storeOn } from '@steadfast/store'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { type Accepted, acceptDelivery } from './accept-delivery.ts'
import type { DeliveryContext } from './context.ts'
import { createGate, type Gate } from './gate.ts'
import type { Host } from './host.ts'
import { createKeyChains, type KeyChains } from './key-chains.ts'
import type { ParsedOptions } from './options.ts'
import type { Registry } from './registry.ts'
import { createReplays, type Replays } from './replays.ts'
import { retryDue } from './retry-due.ts'

/** What all groups of a service share. */
export interface Runtime {
  fastify: FastifyInstance
  host: Host
  options: ParsedOptions
  schema: string
  /** The group that confirms events and sends signals. */
  group: string
  registry: Registry
  /** Handlers that run at a time, in all groups. */
  limit: <T>(task: () => Promise<T>) => Promise<T>
  parseJson: (text: string) => unknown
  /** Aborted when the server closes. */
  closing: AbortSignal
  /** Runs that are under way, in all groups. */
  active: Set<DeliveryContext>
}

/** One consumer group at work. */
export interface Consumer extends Runtime {
  readonly name: string
  /** Whether it confirms events and sends signals: only the service's own group does. */
  readonly isOwn: boolean
  /** The inbox outside a handler's transaction. */
  readonly db: Db
  readonly log: FastifyBaseLogger
  readonly gate: Gate
  readonly chains: KeyChains
  readonly replays: Replays
  readonly running: Set<Promise<unknown>>
  subscription: Subscription | undefined
}

export function createConsumer(runtime: Runtime, name: string): Consumer {
  const { pauseAfterKeys, pauseMs, pauseMaxMs } = runtime.options
  const log = runtime.fastify.log.child({ consumer: name })
  const gate = createGate({
    pauseAfterKeys,
    pauseMs,
    pauseMaxMs,
    onClose(err) {
      consumer.subscription?.pause()
      log.error({ err }, 'paused: the world is wrong, not an event')
    },
    onOpen() {
      consumer.subscription?.resume()
      log.info('resumed')
    },
    onStarve: () => consumer.subscription?.resume()
  })
  const consumer: Consumer = {
    ...runtime,
    name,
    isOwn: name === runtime.group,
    db: storeOn(runtime.host.pg.pool, runtime.schema),
    log,
    gate,
    chains: createKeyChains(),
    replays: createReplays(),
    running: new Set(),
    subscription: undefined
  }
  return consumer
}

/** The topics a group reads: those of its handlers, and for the service's own group that of its signals. */
export function topicsOf(consumer: Consumer): string[] {
  const { registry, name, isOwn, host } = consumer
  const awaits = [...host.outbox.contracts.values()].some(contract => contract.awaits !== undefined)
  return [...new Set([...registry.topics(name), ...(isOwn && awaits ? [host.outbox.replyTo] : [])])]
}

export async function startConsumer(consumer: Consumer): Promise<void> {
  const topics = topicsOf(consumer)
  if (topics.length === 0) return
  const { maxInFlight } = consumer.options
  consumer.subscription = await consumer.host.transport.subscribe(
    { group: consumer.name, topics, maxInFlight },
    delivery => void takeIn(consumer, delivery)
  )
}

/** Works on a delivery, and remembers that it does, for the time when the server closes. */
export async function takeIn(consumer: Consumer, delivery: Delivery): Promise<Accepted> {
  const work = acceptDelivery(consumer, delivery)
  consumer.running.add(work)
  try {
    return await work
  } finally {
    consumer.running.delete(work)
  }
}

/** Runs what is due in the inbox, although the log may not be rewound now. Returns how many deliveries it finished. */
export async function tickConsumer(consumer: Consumer): Promise<number> {
  const [looked] = await Promise.allSettled([consumer.replays.look(consumer)])
  const finished = await retryDue(consumer)
  if (looked.status === 'rejected') throw looked.reason
  return finished
}

/**
 * Stops taking deliveries, gives those whose handlers run until the deadline, voids the rest, and leaves the groups. What
 * is not done comes again.
 */
export async function stopConsumers(
  consumers: readonly Consumer[],
  { active, options }: Runtime,
  ticking: Promise<unknown> | undefined
): Promise<void> {
  for (const { subscription, gate } of consumers) {
    subscription?.pause()
    gate.end()
  }
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<void>(resolve => {
    timer = setTimeout(resolve, options.closeDeadlineMs)
  })
  await Promise.race([Promise.allSettled([...consumers.flatMap(c => [...c.running]), ticking]), deadline])
  clearTimeout(timer)
  // A transaction left open would keep its connection, for which the closing pool waits; a request its timer.
  await Promise.all([...active].map(context => context.tx?.rollback()))
  for (const { raw } of active) raw?.destroy()
  await Promise.all(consumers.map(({ subscription }) => subscription?.close(0)))
}
