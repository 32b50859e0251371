import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { formatTemplate, java, jvmArguments } from './kafka-files.ts'

const run = promisify(execFile)

export interface KafkaPorts {
  client: number
  /** The broker to itself: transaction markers must not go through a proxy in front of the client port. */
  inner: number
  controller: number
}

/** What of server.properties differs from broker to broker. */
export interface KafkaSettings {
  advertised?: string
  users?: Record<string, string>
  properties?: Record<string, string | number | boolean>
}

/** Only the client listener asks for a name and a password; on the two others the broker talks to itself. */
function loginProperties(users: Record<string, string>): Record<string, string> {
  const passwords = Object.entries(users).map(([name, password]) => `user_${name}="${password}"`)
  return {
    'listener.security.protocol.map': 'CLIENT:SASL_PLAINTEXT,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'listener.name.client.sasl.enabled.mechanisms': 'PLAIN',
    'listener.name.client.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required ${passwords.join(' ')};`
  }
}

/** The text of server.properties: one node, broker and controller, everything replicated once. */
export function serverProperties(
  data: string,
  ports: KafkaPorts,
  { advertised, users, properties }: KafkaSettings
): string {
  const all = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    'log.dirs': data,
    listeners: `CLIENT://127.0.0.1:${ports.client},INNER://127.0.0.1:${ports.inner},CONTROLLER://127.0.0.1:${ports.controller}`,
    'advertised.listeners': `CLIENT://${advertised ?? `127.0.0.1:${ports.client}`},INNER://127.0.0.1:${ports.inner}`,
    'listener.security.protocol.map': 'CLIENT:PLAINTEXT,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'INNER',
    'controller.listener.names': 'CONTROLLER',
    'auto.create.topics.enable': false,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 1,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1000,
    'log.cleaner.dedupe.buffer.size': 4 << 20,
    // a broker that was killed is taken back only when its old session has ended: 11 s with the default of 9000
    'broker.session.timeout.ms': 1000,
    'broker.heartbeat.interval.ms': 200,
    ...(users === undefined ? {} : loginProperties(users)),
    ...properties
  }
  return Object.entries(all)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}

/** Formats by Kafka's own tool (one more JVM) and keeps what it wrote as the template. */
export async function formatByTool(data: string, config: string): Promise<void> {
  const cluster = newClusterId()
  // one word: an id that begins with a dash would be taken for an option
  await run(java, [...jvmArguments(), 'kafka.tools.StorageTool', 'format', `--cluster-id=${cluster}`, '-c', config])
  copyFileSync(checkpoint(data), formatTemplate)
}

export const newClusterId = (): string => randomBytes(16).toString('base64url')

/** Formats as the tool does, without its JVM. Without the template, group.version and transaction.version are 0. */
export function formatByTemplate(data: string, cluster = newClusterId(), node = 1): void {
  mkdirSync(join(data, '__cluster_metadata-0'), { recursive: true })
  if (existsSync(formatTemplate)) copyFileSync(formatTemplate, checkpoint(data))
  writeFileSync(join(data, 'meta.properties'), `version=1\ncluster.id=${cluster}\nnode.id=${node}\n`)
}

export function isFormatted(data: string): boolean {
  return existsSync(join(data, 'meta.properties'))
}

function checkpoint(data: string): string {
  return join(data, '__cluster_metadata-0', '00000000000000000000-0000000000.checkpoint')
}
