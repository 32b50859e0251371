import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Delivery, Outgoing, PublishResult, Subscription, Transport } from '../transport.ts'
import type { Heal, TransportFixture } from './types.ts'

/** A member of a group, with everything that has been handed to it so far. */
export interface Member {
  subscription: Subscription
  deliveries: Delivery[]
  /** The texts of the deliveries so far. */
  texts(): string[]
  /** Waits until at least `count` deliveries have been handed over; returns the first `count` of them. */
  received(count: number): Promise<Delivery[]>
}

/** How a member joins: `group` defaults to a fresh one, `maxInFlight` to 1000; `onDelivery` runs after it was recorded. */
export interface Joining {
  topic: string | readonly string[]
  group?: string
  maxInFlight?: number
  onDelivery?: (delivery: Delivery) => void
}

/** What each test of the suite works with. Names are unique, so tests share one broker. */
export interface Context {
  fixture: TransportFixture
  /** A fresh client, closed after the test. */
  client(): Promise<Transport>
  /** The name of a fresh topic that can be published to. @default one partition */
  topic(transport: Transport, partitions?: number): Promise<string>
  name(what: string): string
  join(transport: Transport, joining: Joining): Promise<Member>
  /** Runs after the test, in reverse order, whatever happened. */
  after(undo: Heal): void
  /** Applies a fault for the rest of the test, or until the returned function is called. */
  inflict(fault: Promise<Heal>): Promise<Heal>
  until<T>(what: string, condition: () => T | Promise<T>): Promise<T>
}

/** A message whose value is `text`. */
export function message(topic: string, key: string, text: string): Outgoing {
  return { topic, key, headers: {}, value: Buffer.from(text) }
}

/** Publishes with a signal that stays quiet for a minute. */
export function publish(transport: Transport, batch: readonly Outgoing[]): Promise<PublishResult[]> {
  return transport.publish(batch, AbortSignal.timeout(60_000))
}

/** Results as short words, so that a failed comparison can be read: `ok`, `refused`, `unavailable`, `unknown`. */
export function outcomes(results: readonly PublishResult[]): string[] {
  return results.map(result => (result.ok ? 'ok' : result.kind))
}

/** Publishes messages of which each must be taken; a not yet settled topic is given time. */
export async function publishAll(context: Context, transport: Transport, batch: readonly Outgoing[]): Promise<void> {
  let rest = batch
  await context.until('every message to be taken by the broker', async () => {
    const results = await publish(transport, rest)
    if (results.some(result => !result.ok && result.kind === 'unknown')) {
      throw new Error(`a healthy broker answered: ${outcomes(results).join(', ')}`)
    }
    rest = rest.filter((_, i) => !results[i]?.ok)
    return rest.length === 0
  })
}

/** Makes the context of one test. `end` undoes everything; it rejects if something could not be undone. */
export function createContext(fixture: TransportFixture): { context: Context; end(): Promise<void> } {
  const undos: Heal[] = []
  const timeoutMs = fixture.timeoutMs ?? 20_000
  const context: Context = {
    fixture,
    async client() {
      const transport = await fixture.create()
      undos.push(() => transport.close(0))
      return transport
    },
    async topic(transport, partitions = 1) {
      const name = context.name('topic')
      await transport.ensureTopics([{ name, partitions }])
      return name
    },
    name: what => `compliance-${what}-${randomUUID()}`,
    join: (transport, joining) => join(context, transport, joining),
    after: undo => void undos.push(undo),
    async inflict(fault) {
      const heal = await fault
      let healing: Promise<void> | undefined
      const once = () => (healing ??= Promise.resolve(heal()))
      undos.push(once)
      return once
    },
    until: (what, condition) => until(what, condition, timeoutMs)
  }
  return { context, end: () => undoAll(undos) }
}

async function join(context: Context, transport: Transport, joining: Joining): Promise<Member> {
  const deliveries: Delivery[] = []
  const { topic, group = context.name('group'), maxInFlight = 1000, onDelivery } = joining
  const subscription = await transport.subscribe({ group, topics: [topic].flat(), maxInFlight }, delivery => {
    deliveries.push(delivery)
    onDelivery?.(delivery)
  })
  return {
    subscription,
    deliveries,
    texts: () => deliveries.map(delivery => delivery.raw.toString()),
    async received(count) {
      await context.until(`${count} deliveries`, () => {
        return deliveries.length >= count
      })
      return deliveries.slice(0, count)
    }
  }
}

async function until<T>(what: string, condition: () => T | Promise<T>, timeoutMs: number): Promise<T> {
  const end = Date.now() + timeoutMs
  for (;;) {
    const value = await condition()
    if (value) return value
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`)
    await sleep(10)
  }
}

async function undoAll(undos: Heal[]): Promise<void> {
  const errors: unknown[] = []
  for (const undo of undos.reverse()) {
    try {
      await undo()
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, 'the test could not be undone')
}
