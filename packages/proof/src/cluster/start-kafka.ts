import { freePort, type KafkaBroker, launchKafka, startProxy, type TcpProxy } from '@steadfast/dev-services'
import { AUTHORIZER } from '@steadfast/dev-services/kafka-acl'

/** A broker that each process knows by a proxy of its own, and the harness by a listener that no fault touches. */
export interface AttackedKafka {
  broker: KafkaBroker
  /** By the name of the process: its own way to the broker. */
  proxies: ReadonlyMap<string, TcpProxy>
  /** Where a process finds the broker. */
  addressFor(name: string): string
  /** For the harness. */
  direct: string
  stop(): Promise<void>
}

const on = (port: number) => `127.0.0.1:${port}`

/**
 * Starts the broker with a listener for each of the processes, since a client follows what a listener advertises: a
 * fault on the proxy before it hurts this one process alone.
 */
export async function startKafka(names: readonly string[]): Promise<AttackedKafka> {
  const [port, inner, controller] = await Promise.all([freePort(), freePort(), freePort()])
  const ways = await Promise.all(names.map(async name => ({ name, port: await freePort(), front: await freePort() })))
  const listenerOf = (index: number) => `OWN${index}`
  const listeners = ways.map((way, index) => `${listenerOf(index)}://${on(way.port)}`)
  const advertised = ways.map((way, index) => `${listenerOf(index)}://${on(way.front)}`)
  const protocols = ['CLIENT', 'INNER', 'CONTROLLER', ...ways.map((_, index) => listenerOf(index))]
  const broker = await launchKafka({
    port,
    properties: {
      ...AUTHORIZER,
      listeners: [
        `CLIENT://${on(port)}`,
        `INNER://${on(inner)}`,
        `CONTROLLER://${on(controller)}`,
        ...listeners
      ].join(),
      'advertised.listeners': [`CLIENT://${on(port)}`, `INNER://${on(inner)}`, ...advertised].join(),
      'listener.security.protocol.map': protocols.map(name => `${name}:PLAINTEXT`).join(),
      'controller.quorum.voters': `1@${on(controller)}`
    }
  })
  const proxies = new Map<string, TcpProxy>()
  for (const way of ways) proxies.set(way.name, await startProxy({ targetPort: way.port, port: way.front }))
  const fronts = new Map(ways.map(way => [way.name, on(way.front)]))
  return {
    broker,
    proxies,
    addressFor(name) {
      const address = fronts.get(name)
      if (address === undefined) throw new Error(`no way to Kafka for ${name}`)
      return address
    },
    direct: on(inner),
    async stop() {
      await Promise.all([...proxies.values()].map(proxy => proxy.close()))
      await broker.stop()
    }
  }
}
