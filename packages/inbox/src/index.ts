import { setMaxListeners } from 'node:events'
import { type TopicNeeds, warnOfTopics } from '@steadfast/events'
import { requireSchema } from '@steadfast/store'
import { getDelivery, storeOn } from '@steadfast/store/internal'
import type {} from '@steadfast/sweeper'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { signalsTo } from './answers.ts'
import { createConsumer, pollConsumer, startConsumer, stopConsumers, tickConsumer, topicsOf } from './consumer.ts'
import { addDeliveryConstraint, eventOf } from './context.ts'
import { jsonParser } from './decode-delivery.ts'
import { MissingPlugin } from './errors.ts'
import { createLimit } from './key-chains.ts'
import { makeTopics, type TopicMaker } from './make-topics.ts'
import { createOnEvent, type EventHandler, type EventRequest, type OnEvent } from './on-event.ts'
import {
  createOnUnanswered,
  type OnUnanswered,
  type UnansweredHandler,
  type UnansweredRequest
} from './on-unanswered.ts'
import {
  type HandlerOptions,
  type InboxOptions,
  parseInboxOptions,
  type ReactionOptions,
  type RetryOptions
} from './options.ts'
import { createRegistry } from './registry.ts'
import { inProgressSignal } from './signals.ts'
import type { Consumer, DeliveredEvent, DeliveryContext, Host } from './types.ts'
import { leftInWords } from './unknown.ts'

declare module 'fastify' {
  interface FastifyInstance {
    inbox: Inbox
    onEvent: OnEvent
    onUnanswered: OnUnanswered
    /** Declares types of a topic that no handler wants, or all that no handler takes: they pass by, unstored. */
    ignoreEvents(topic: string, types: readonly string[] | '*'): FastifyInstance
  }
  interface FastifyRequest {
    /** The event at hand; absent where the request is no delivery. */
    readonly event?: DeliveredEvent
  }
}

/** What the plugin decorates the server with. */
export interface Inbox {
  /** The service's own consumer group. */
  readonly group: string
  /**
   * Tells the sender of an event that its work goes on: extends its deadline, uncounted. Helps until the event's
   * `give_up_at`.
   *
   * @returns false when the event is unknown here, or its sender awaits nothing
   */
  progress(eventId: string): Promise<boolean>
  /**
   * Whether all groups take deliveries. When ready, `reason` names the types that are slowed down, since many of them fail, and
   * says how many deliveries waited for a process that knows them when this was counted last, and why topics could not be made.
   */
  health(): { ready: boolean; reason?: string }
  /** Messages that are not done yet, over all groups. */
  lag(): Promise<bigint>
  /** Runs what is due: retries, blocked deliveries, replays. The plugin's own timer does the same. Returns how many came to an end. */
  tick(): Promise<number>
}

/** How `/testing` reaches the groups. */
export const kConsumers = Symbol('steadfast.consumers')

async function inboxPlugin(fastify: FastifyInstance, given: InboxOptions): Promise<void> {
  const options = parseInboxOptions(given)
  const host = requireHost(fastify)
  const group = options.group ?? host.outbox.source
  const schema = options.schema ?? host.outbox.schema
  const registry = createRegistry()
  const closing = new AbortController()
  setMaxListeners(0, closing.signal)
  const concurrency = options.concurrency ?? Math.max(1, (host.outbox.pool.options?.max ?? 10) - 2)
  const runtime = {
    fastify,
    host,
    options,
    schema,
    group,
    registry,
    concurrency,
    limit: createLimit(concurrency),
    parseJson: jsonParser(fastify),
    closing: closing.signal,
    active: new Set<DeliveryContext>()
  }
  const consumers = new Map<string, Consumer>([[group, createConsumer(runtime, group)]])
  const all = () => [...consumers.values()]
  let topics: TopicMaker | undefined

  addDeliveryConstraint(fastify)
  fastify.decorateRequest('event', {
    getter() {
      return eventOf(this.raw)
    }
  })
  fastify.decorate('onEvent', createOnEvent(registry, options, group))
  fastify.decorate('onUnanswered', createOnUnanswered(registry, options, group, host))
  fastify.decorate('ignoreEvents', function ignoreEvents(topic, types) {
    registry.ignore(topic, types)
    return this
  })
  const tick = async () => (await Promise.all(all().map(tickConsumer))).reduce((a, b) => a + b, 0)
  const decoration: Inbox = {
    group,
    health() {
      for (const { name, breaker, membership } of all()) {
        const reason = breaker.reason()
        const how = membership.hasLeft() ? 'left' : 'paused'
        if (reason !== undefined) return { ready: false, reason: `group "${name}" is ${how}: ${reason}` }
      }
      if (registry.groups().length > 0 && !all().some(({ subscription }) => subscription))
        return { ready: false, reason: 'not subscribed yet' }
      const slow = all().flatMap(({ name, slowTypes }) => slowTypes.reasons().map(of => ({ name, ...of })))
      const reasons = slow.map(({ name, type, reason }) => `group "${name}": ${type} is slowed down: ${reason}`)
      for (const { name, left } of all())
        if (left.count !== undefined && left.count.count > 0)
          reasons.push(`group "${name}": ${leftInWords(left.count)}`)
      const missing = topics?.reason()
      if (missing !== undefined) reasons.push(`topics: ${missing}`)
      return reasons.length === 0 ? { ready: true } : { ready: true, reason: reasons.join('; ') }
    },
    async lag() {
      const lags = await Promise.all(all().map(({ subscription }) => subscription?.lag() ?? 0n))
      return lags.reduce((a, b) => a + b, 0n)
    },
    async progress(eventId) {
      const own = consumers.get(group)
      if (own === undefined) return false
      return await host.outbox.transaction(async tx => {
        const row = await getDelivery(storeOn(tx, schema), group, eventId)
        const signal = row && signalsTo(own, row) ? inProgressSignal(row, host.outbox.source) : undefined
        if (signal !== undefined) await host.outbox.control(tx).write(signal)
        return signal !== undefined
      })
    },
    tick
  }
  fastify.decorate('inbox', Object.assign(decoration, { [kConsumers]: consumers }))

  fastify.addHook('onReady', async () => {
    await requireSchema(host.outbox.pool, schema, 'inbox')
    for (const name of registry.groups()) if (!consumers.has(name)) consumers.set(name, createConsumer(runtime, name))
    if (options.ensureTopics) {
      topics = makeTopics(topicsToMake(host, all(), options.ensureTopics.partitions), { ...runtime, log: fastify.log })
      await topics.begun
    }
    for (const consumer of all()) await startConsumer(consumer)
    void warnOfTopics(host.transport, topicNeeds(fastify, all()), { log: fastify.log, signal: closing.signal })
    if (options.retryPollMs > 0) all().forEach(pollConsumer)
  })
  fastify.addHook('preClose', async () => {
    closing.abort()
    await stopConsumers(all(), runtime)
  })
}

function requireHost(fastify: FastifyInstance): Host {
  if (!fastify.hasDecorator('outbox')) throw new MissingPlugin('outbox', '@steadfast/outbox')
  if (!fastify.hasDecorator('transport'))
    throw new MissingPlugin('transport', 'a transport, e.g. @steadfast/transport-postgres,')
  return fastify
}

/** An event that is read again after its row went is a new one. */
function topicNeeds(fastify: FastifyInstance, consumers: Consumer[]): Map<string, TopicNeeds> {
  const sweeper = fastify.hasDecorator('sweeper') ? fastify.sweeper : undefined
  const knowsForMs = sweeper && (sweeper.retention === false ? Number.POSITIVE_INFINITY : sweeper.retention.inboxMs)
  return new Map(consumers.flatMap(topicsOf).map(topic => [topic, { reads: { knowsForMs } }]))
}

function topicsToMake(host: Host, consumers: Consumer[], partitions: number): { name: string; partitions: number }[] {
  const sent = [...host.outbox.contracts.values()].map(contract => contract.topic)
  const names = new Set([...consumers.flatMap(topicsOf), ...sent])
  return [...names].map(name => ({ name, partitions }))
}

export type { Unanswered } from '@steadfast/store/internal'
export * as errors from './errors.ts'
export type {
  DeliveredEvent,
  EventHandler,
  EventRequest,
  HandlerOptions,
  InboxOptions,
  OnEvent,
  OnUnanswered,
  ReactionOptions,
  RetryOptions,
  UnansweredHandler,
  UnansweredRequest
}

export const inbox = fp(inboxPlugin, {
  fastify: '5.x',
  name: '@steadfast/inbox',
  dependencies: ['@steadfast/outbox']
})
export default inbox
