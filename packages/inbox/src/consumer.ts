import { createLogSampler, type Delivery } from '@steadfast/events'
import type {} from '@steadfast/events/fastify'
import type {} from '@steadfast/outbox'
import { boundedQueries, storeOn, turnUnanswered } from '@steadfast/store/internal'
import { createBreaker } from './breaker.ts'
import { consume } from './consume.ts'
import { createKeyChains } from './key-chains.ts'
import { createMembership } from './membership.ts'
import { createReplays } from './replays.ts'
import { retryDue } from './retry.ts'
import { createSlowTypes } from './slow-types.ts'
import type { Accepted, Consumer, Runtime } from './types.ts'
import { countLeft } from './unknown.ts'

/** A statement of the inbox outside a handler's transaction takes no longer, whatever the network does. */
const QUERY_TIMEOUT_MS = 15_000
/** Of the pool's connections, for such statements of a group. */
const QUERY_CLIENTS = 2

/** So many requests that nobody answered become deliveries at a time. */
const UNANSWERED_BATCH = 100

/** Between two counts of what the group leaves for a process that knows it. */
const COUNT_LEFT_MS = 10_000

export function createConsumer(runtime: Runtime, name: string): Consumer {
  const { pauseMs, pauseMaxMs } = runtime.options
  const log = runtime.fastify.log.child({ consumer: name })
  const breaker = createBreaker({
    pauseMs,
    pauseMaxMs,
    onOpen(err) {
      consumer.subscription?.pause()
      consumer.membership.watch()
      log.error({ err }, 'consumer paused: a dependency is failing, not a single event')
    },
    onClose() {
      consumer.membership.calm()
      consumer.subscription?.resume()
      log.info('consumer resumed')
    },
    onStarve: () => consumer.subscription?.resume()
  })
  const bounded = boundedQueries(runtime.host.outbox.pool, { clients: QUERY_CLIENTS, timeoutMs: QUERY_TIMEOUT_MS })
  const consumer: Consumer = {
    ...runtime,
    name,
    isOwn: name === runtime.group,
    db: storeOn(bounded, runtime.schema),
    log,
    breaker,
    chains: createKeyChains(),
    slowTypes: createSlowTypes({
      ...runtime.options,
      onSlow: (type, err) => log.error({ err, type }, 'many of a type fail: it is slowed down'),
      onWell: type => log.info({ type }, 'a type is slowed down no longer')
    }),
    membership: createMembership(
      () => consumer,
      () => startConsumer(consumer)
    ),
    isRereading: false,
    retrying: new Map(),
    alone: new Map(),
    longWaits: new Set(),
    replays: createReplays(),
    running: new Set(),
    unknownTypes: new Set(),
    left: { countedAt: Number.NEGATIVE_INFINITY },
    refusalLines: createLogSampler(),
    warned: new Set(),
    subscription: undefined,
    looking: undefined
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
  const work = consume(consumer, delivery)
  consumer.running.add(work)
  try {
    return await work
  } finally {
    consumer.running.delete(work)
  }
}

/** Looks for what is due now and then, until the server closes. What takes long keeps nobody from the next look. */
export function pollConsumer(consumer: Consumer): void {
  const { closing, options } = consumer
  let timer: NodeJS.Timeout | undefined
  const failed = (err: unknown) => {
    if (!closing.aborted) consumer.log.error({ err }, 'looking for due deliveries failed')
  }
  const look = async () => {
    if (consumer.looking === undefined) lookForReplays(consumer).catch(failed)
    countLeft(consumer, COUNT_LEFT_MS).catch(failed)
    await lookForUnanswered(consumer).catch(failed)
    const { begun, ended } = retryDue(consumer)
    ended.catch(() => {})
    await begun.catch(failed)
    poll()
  }
  const poll = () => {
    if (!closing.aborted) timer = setTimeout(look, options.retryPollMs)
  }
  closing.addEventListener('abort', () => clearTimeout(timer))
  poll()
}

/** Runs what is due in the inbox, although the log may not be rewound now. Returns how many deliveries it finished. */
export async function tickConsumer(consumer: Consumer): Promise<number> {
  await lookForUnanswered(consumer)
  const [looked, finished] = await Promise.allSettled([lookForReplays(consumer), retryDue(consumer).ended])
  if (finished.status === 'rejected') throw finished.reason
  if (looked.status === 'rejected') throw looked.reason
  await countLeft(consumer, 0)
  return finished.value
}

/** Requests that nobody answered become deliveries, in a process that has handlers for them. */
async function lookForUnanswered({ isOwn, registry, name, host, db }: Consumer): Promise<void> {
  const types = isOwn ? registry.unanswered(name) : []
  if (types.length === 0) return
  await turnUnanswered(db, { consumer: name, source: host.outbox.source, types, limit: UNANSWERED_BATCH })
}

/** One look at a time, which asks the broker: retries must not wait for it. */
function lookForReplays(consumer: Consumer): Promise<void> {
  consumer.looking ??= consumer.replays.look(consumer).finally(() => {
    consumer.looking = undefined
  })
  return consumer.looking
}

/**
 * Stops taking deliveries, gives those whose handlers run until the deadline, voids the rest, and leaves the groups. What
 * is not done comes again.
 */
export async function stopConsumers(consumers: readonly Consumer[], { active, options }: Runtime): Promise<void> {
  for (const { subscription, breaker } of consumers) {
    subscription?.pause()
    breaker.end()
  }
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<void>(resolve => {
    timer = setTimeout(resolve, options.closeDeadlineMs)
  })
  await Promise.race([Promise.allSettled([...consumers.flatMap(c => [...c.running])]), deadline])
  // A transaction left open would keep its connection, for which the closing pool waits; a request its timer.
  await Promise.all([...active].map(context => context.tx?.rollback()))
  for (const { raw } of active) raw?.destroy()
  await Promise.race([Promise.allSettled(consumers.map(({ membership }) => membership.settled())), deadline])
  clearTimeout(timer)
  await Promise.all(consumers.map(({ subscription }) => subscription?.close(0)))
}
