import type { Delivery, Outgoing, PublishResult, Subscription, Transport } from '@steadfast/events'
import { createPostgresTransport, type PostgresTransport, type PostgresTransportOptions } from '../src/index.ts'

/** A transport with short times. The compliance suite's child process makes it from here, too. */
export function create(options: PostgresTransportOptions): PostgresTransport {
  return createPostgresTransport({
    leaseMs: 1000,
    pollIntervalMs: 50,
    publishTimeoutMs: 1000,
    maxBytes: 100_000,
    ...options
  })
}

/** A transport that is closed with the test. */
export function createFor(t: { teardown(handler: () => unknown): void }, options: PostgresTransportOptions) {
  const transport = create(options)
  t.teardown(() => transport.close(0))
  return transport
}

export function message(topic: string, key: string, text: string): Outgoing {
  return { topic, key, headers: {}, value: Buffer.from(text) }
}

/** `m<from>` to `m<from + count - 1>`, of many keys. */
export function spread(topic: string, count: number, from = 0): Outgoing[] {
  return Array.from({ length: count }, (_, i) => message(topic, `key-${from + i}`, `m${from + i}`))
}

export function publish(transport: Transport, batch: readonly Outgoing[]): Promise<PublishResult[]> {
  return transport.publish(batch, AbortSignal.timeout(60_000))
}

export function outcomes(results: readonly PublishResult[]): string[] {
  return results.map(result => (result.ok ? 'ok' : result.kind))
}

/** A member that records, and acknowledges unless told to hold. */
export async function join(
  transport: Transport,
  topic: string,
  { group = 'g', hold = false, maxInFlight = 1000 } = {}
): Promise<{ subscription: Subscription; deliveries: Delivery[]; texts(): string[] }> {
  const deliveries: Delivery[] = []
  const subscription = await transport.subscribe({ group, topics: [topic], maxInFlight }, delivery => {
    deliveries.push(delivery)
    if (!hold) delivery.done()
  })
  return { subscription, deliveries, texts: () => deliveries.map(delivery => delivery.raw.toString()) }
}
