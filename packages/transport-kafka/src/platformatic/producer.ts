import { apiVersionsV3, type Connection, clientSoftwareName, clientSoftwareVersion, Writer } from '@platformatic/kafka'
import { brokerError, nameOfError } from '../broker-error.ts'
import type { Producer } from '../driver.ts'
import { TransportClosed } from '../errors.ts'
import type { Settings } from '../options.ts'
import { asError } from '../within.ts'
import { send } from './connections.ts'
import type { OpenCluster } from './open-cluster.ts'
import { encodeProduce, PRODUCE_VERSIONS, type ProduceAnswer, readProduceAnswer } from './produce-request.ts'

const FIRST_BACKOFF_MS = 100
const LAST_BACKOFF_MS = 5000

/** Nothing is retried here, and there is no idempotence, so that every outcome is told as it was. */
export function createProducer(cluster: OpenCluster, settings: Settings, onConnected: () => void): Producer {
  const connections = cluster.connect()
  /** The version of the request that a connection's broker takes. */
  const versions = new WeakMap<Connection, number>()
  let connecting: Promise<void> | undefined
  let failure: Error | undefined
  let closed = false
  let backoffMs = FIRST_BACKOFF_MS
  let timer: NodeJS.Timeout | undefined

  async function look(): Promise<void> {
    if (closed) throw new TransportClosed()
    await cluster.countBrokers()
    failure = undefined
    backoffMs = FIRST_BACKOFF_MS
    onConnected()
  }

  function connect(): Promise<void> {
    connecting ??= look()
      .catch(thrown => {
        lookLater(asError(thrown))
        throw thrown
      })
      .finally(() => {
        connecting = undefined
      })
    return connecting
  }

  function lookLater(reason: Error): void {
    failure = reason
    if (closed) return
    clearTimeout(timer)
    timer = setTimeout(() => connect().catch(() => undefined), backoffMs)
    timer.unref()
    backoffMs = Math.min(backoffMs * 2, LAST_BACKOFF_MS)
  }

  async function versionFor(connection: Connection): Promise<number> {
    const known = versions.get(connection)
    if (known !== undefined) return known
    const { apiKeys } = await send(connection, apiVersionsV3.api, clientSoftwareName, clientSoftwareVersion)
    const { minVersion = 0, maxVersion = 0 } = apiKeys.find(({ apiKey }) => apiKey === PRODUCE) ?? {}
    const version = Math.min(maxVersion, PRODUCE_VERSIONS.max)
    if (version < Math.max(minVersion, PRODUCE_VERSIONS.min))
      throw brokerError('UNSUPPORTED_VERSION', 'the broker is too old or too new')
    versions.set(connection, version)
    return version
  }

  return {
    connect,
    // One broker that is away is not the cluster.
    failed(reason) {
      failure = reason
      connect().catch(() => undefined)
    },
    failure: () => failure,
    async send(leader, batches, onSending) {
      if (leader < 0) throw brokerError('LEADER_NOT_AVAILABLE', 'the partition has no leader')
      const connection = await connections.to(await cluster.broker(leader))
      const version = await versionFor(connection)
      onSending()
      // The broker gives up on its replicas, and says so, before this client gives up on the broker.
      const request = encodeProduce(batches, Math.ceil(settings.requestTimeoutMs * 0.8))
      const { errorCodes } = await sendProduce(connection, version, request)
      return new Map(
        [...errorCodes].map(([partition, code]) => {
          const name = nameOfError(code)
          return [partition, name === undefined ? undefined : brokerError(name)]
        })
      )
    },
    async close() {
      closed = true
      clearTimeout(timer)
      connections.destroy()
    }
  }
}

const PRODUCE = 0

function sendProduce(connection: Connection, version: number, request: Buffer): Promise<ProduceAnswer> {
  return new Promise((resolve, reject) => {
    connection.send<ProduceAnswer>(
      PRODUCE,
      version,
      () => Writer.create().append(request),
      (_correlation, _key, _version, reader) => readProduceAnswer(reader.buffer.slice(reader.position)),
      false,
      false,
      (error, answer) => (error || answer === undefined ? reject(error) : resolve(answer))
    )
  })
}
