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
  /** Each is `kill9()`ed and `restart()`ed by itself. By node id, from 1 on. */
  node(id: number): KafkaBroker
  stop(): Promise<void>
}

const SIZE = 3

/**
 * Starts three brokers, each a controller too, so that any one may die: three replicas, of which two must have what is
 * acknowledged. Resolves when all serve. None outlives this process.
 */
export async function launchKafkaCluster(options: Pick<KafkaOptions, 'properties'> = {}): Promise<KafkaCluster> {
  await prepareKafka()
  const id = newClusterId()
  const nodes = await Promise.all(
    Array.from({ length: SIZE }, async (_, n) => ({
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
        'default.replication.factor': SIZE,
        'min.insync.replicas': 2,
        'offsets.topic.replication.factor': SIZE,
        'transaction.state.log.replication.factor': SIZE,
        'transaction.state.log.min.isr': 2,
        'broker.session.timeout.ms': 3000,
        'broker.heartbeat.interval.ms': 500,
        ...options.properties
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
    node(id) {
      const broker = brokers[id - 1]
      if (broker === undefined) throw new Error(`no node ${id}`)
      return broker
    },
    stop
  }
}
