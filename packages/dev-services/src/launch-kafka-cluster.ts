import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { formatByTemplate, newClusterId } from './kafka-storage.ts'
import { prepareKafka } from './prepare-kafka.ts'
import { type KafkaBroker, type KafkaOptions, startBroker } from './start-broker.ts'

/** Brokers that replicate to each other. */
export interface KafkaCluster {
  /** For the clients' broker list: all of them. */
  readonly brokers: string[]
  /** For those who are to be no part of what happens to clients: the brokers' own listeners. */
  readonly direct: string[]
  readonly nodes: readonly KafkaBroker[]
  /** Each is `kill9()`ed and `restart()`ed by itself. By node id, from 1 on. */
  node(id: number): KafkaBroker
  stop(): Promise<void>
}

/** A broker to be: its id, from 1 on, and its ports. */
export interface KafkaNode {
  id: number
  client: number
  /** For the brokers themselves. */
  inner: number
  controller: number
}

export interface KafkaClusterOptions {
  /** Default 3: so that any one may die. */
  size?: 1 | 3
  /** Lines of server.properties, over the launcher's. */
  propertiesOf?: (node: KafkaNode) => NonNullable<KafkaOptions['properties']>
}

/**
 * Starts brokers, each a controller too: of three, there are three replicas, of which two must have what is acknowledged.
 * Resolves when all serve. None outlives this process.
 */
export async function launchKafkaCluster({ size = 3, propertiesOf }: KafkaClusterOptions = {}): Promise<KafkaCluster> {
  await prepareKafka()
  const id = newClusterId()
  const inSync = size === 1 ? 1 : 2
  const nodes = await Promise.all(
    Array.from({ length: size }, async (_, n) => ({
      id: n + 1,
      client: await freePort(),
      inner: await freePort(),
      controller: await freePort(),
      dir: mkdtempSync(join(tmpdir(), 'steadfast-kafka-'))
    }))
  )
  const voters = nodes.map(({ id, controller }) => `${id}@127.0.0.1:${controller}`).join(',')
  for (const node of nodes) formatByTemplate(join(node.dir, 'data'), id, node.id)
  const removeAll = () => {
    for (const { dir } of nodes) rmSync(dir, { recursive: true, force: true })
  }
  const starting = nodes.map(({ id, client, inner, controller, dir }) =>
    startBroker({
      dir,
      port: client,
      properties: {
        'node.id': id,
        'controller.quorum.voters': voters,
        listeners: `CLIENT://127.0.0.1:${client},INNER://127.0.0.1:${inner},CONTROLLER://127.0.0.1:${controller}`,
        'advertised.listeners': `CLIENT://127.0.0.1:${client},INNER://127.0.0.1:${inner}`,
        'default.replication.factor': size,
        'min.insync.replicas': inSync,
        'offsets.topic.replication.factor': size,
        'transaction.state.log.replication.factor': size,
        'transaction.state.log.min.isr': inSync,
        'broker.session.timeout.ms': 3000,
        'broker.heartbeat.interval.ms': 500,
        ...propertiesOf?.({ id, client, inner, controller })
      }
    })
  )
  const started = await Promise.allSettled(starting)
  const brokers = started.flatMap(one => (one.status === 'fulfilled' ? [one.value] : []))
  const stop = async () => {
    await Promise.all(brokers.map(broker => broker.stop({ graceful: false })))
    removeAll()
  }
  const failed = started.find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') {
    await stop()
    throw failed.reason
  }
  return {
    brokers: nodes.map(({ client }) => `127.0.0.1:${client}`),
    direct: nodes.map(({ inner }) => `127.0.0.1:${inner}`),
    nodes: brokers,
    node(id) {
      const broker = brokers[id - 1]
      if (broker === undefined) throw new Error(`no node ${id}`)
      return broker
    },
    stop
  }
}
