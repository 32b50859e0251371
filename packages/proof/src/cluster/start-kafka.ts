import { freePort, type KafkaBroker, launchKafkaCluster, startProxy, type TcpProxy } from '@steadfast/dev-services'
import { AUTHORIZER } from '@steadfast/dev-services/kafka-acl'
import { joinProxies } from './join-proxies.ts'

/** Brokers that each process knows by proxies of its own, and the harness by listeners that no fault touches. */
export interface AttackedKafka {
  brokers: readonly KafkaBroker[]
  /** By the name of the process: its own way to the brokers. */
  proxies: ReadonlyMap<string, TcpProxy>
  /** Where a process finds the brokers. */
  addressFor(name: string): string
  /** For the harness. */
  direct: string
  stop(): Promise<void>
}

/** As whom the services log in: without a name nobody can be told from the brokers, who may do everything. */
export const LOGIN = { username: 'service', password: 'a secret of the proof' }

const on = (port: number) => `127.0.0.1:${port}`

interface Way {
  name: string
  port: number
  front: number
}

const wayOf = async (name: string): Promise<Way> => ({ name, port: await freePort(), front: await freePort() })

/**
 * Starts brokers that have a listener for each of the processes, since a client follows what a listener advertises: a fault
 * on the proxies before it hurts this one process alone.
 */
export async function startKafka(names: readonly string[], size: 1 | 3): Promise<AttackedKafka> {
  const ways = await Promise.all(Array.from({ length: size }, () => Promise.all(names.map(wayOf))))
  const listenerOf = (index: number) => `OWN${index}`
  const protocols = [
    ...['CLIENT', 'INNER', 'CONTROLLER'].map(listener => `${listener}:PLAINTEXT`),
    ...names.map((_, index) => `${listenerOf(index)}:SASL_PLAINTEXT`)
  ]
  const logins = names.map((_, index) => [
    `listener.name.${listenerOf(index).toLowerCase()}.plain.sasl.jaas.config`,
    `org.apache.kafka.common.security.plain.PlainLoginModule required user_${LOGIN.username}="${LOGIN.password}";`
  ])
  const cluster = await launchKafkaCluster({
    size,
    propertiesOf({ id, client, inner, controller }) {
      const own = ways[id - 1] ?? []
      const listeners = own.map(({ port }, index) => `${listenerOf(index)}://${on(port)}`)
      const advertised = own.map(({ front }, index) => `${listenerOf(index)}://${on(front)}`)
      const common = [`CLIENT://${on(client)}`, `INNER://${on(inner)}`]
      return {
        ...AUTHORIZER,
        // To each other brokers are this; of several, none would start without the right to.
        'super.users': 'User:ANONYMOUS',
        'sasl.enabled.mechanisms': 'PLAIN',
        ...Object.fromEntries(logins),
        listeners: [...common, `CONTROLLER://${on(controller)}`, ...listeners].join(),
        'advertised.listeners': [...common, ...advertised].join(),
        'listener.security.protocol.map': protocols.join()
      }
    }
  })
  const proxies = new Map<string, TcpProxy>()
  const addresses = new Map<string, string>()
  for (const name of names) {
    const own = ways.flat().filter(way => way.name === name)
    const started = await Promise.all(own.map(({ port, front }) => startProxy({ targetPort: port, port: front })))
    proxies.set(name, joinProxies(started))
    addresses.set(name, own.map(({ front }) => on(front)).join())
  }
  return {
    brokers: cluster.nodes,
    proxies,
    addressFor(name) {
      const address = addresses.get(name)
      if (address === undefined) throw new Error(`no way to Kafka for ${name}`)
      return address
    },
    direct: cluster.direct.join(),
    async stop() {
      await Promise.all([...proxies.values()].map(proxy => proxy.close()))
      await cluster.stop()
    }
  }
}
