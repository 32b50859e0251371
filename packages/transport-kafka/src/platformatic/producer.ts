import {
  type API,
  apiVersionsV3,
  type Connection,
  clientSoftwareName,
  clientSoftwareVersion,
  createAPI,
  type ResponseParser,
  Writer
} from '@platformatic/kafka'
import { brokerError, nameOfError } from '../broker-error.ts'
import { createConnector } from '../connector.ts'
import type { Producer } from '../driver.ts'
import type { Settings } from '../options.ts'
import { send } from './connections.ts'
import type { OpenCluster } from './open-cluster.ts'
import { encodeProduce, PRODUCE_VERSIONS, type ProduceAnswer, readProduceAnswer } from './produce-request.ts'

/** Nothing is retried here, and there is no idempotence, so that every outcome is told as it was. */
export function createProducer(cluster: OpenCluster, settings: Settings, onConnected: () => void): Producer {
  const connections = cluster.connect()
  const connector = createConnector(async () => void (await cluster.countBrokers()), onConnected)
  /** The form of the request that a connection's broker takes. */
  const forms = new WeakMap<Connection, API<[request: Buffer], ProduceAnswer>>()

  async function formFor(connection: Connection): Promise<API<[request: Buffer], ProduceAnswer>> {
    const known = forms.get(connection)
    if (known !== undefined) return known
    const { apiKeys } = await send(connection, apiVersionsV3.api, clientSoftwareName, clientSoftwareVersion)
    const { minVersion = 0, maxVersion = 0 } = apiKeys.find(({ apiKey }) => apiKey === PRODUCE) ?? {}
    const version = Math.min(maxVersion, PRODUCE_VERSIONS.max)
    if (version < Math.max(minVersion, PRODUCE_VERSIONS.min))
      throw brokerError('UNSUPPORTED_VERSION', 'the broker is too old or too new')
    const form = createAPI<[Buffer], ProduceAnswer>(PRODUCE, version, writeProduce, readProduce, false, false)
    forms.set(connection, form)
    return form
  }

  return {
    connect: connector.connect,
    // One broker that is away is not the cluster.
    failed: connector.doubt,
    failure: connector.failure,
    async send(leader, batches, onSending) {
      if (leader < 0) throw brokerError('LEADER_NOT_AVAILABLE', 'the partition has no leader')
      const connection = await connections.to(await cluster.broker(leader))
      const form = await formFor(connection)
      onSending()
      // The broker gives up on its replicas, and says so, before this client gives up on the broker.
      const request = encodeProduce(batches, Math.ceil(settings.requestTimeoutMs * 0.8), settings.compression)
      const { errorCodes } = await send(connection, form, request)
      return new Map(
        [...errorCodes].map(([partition, code]) => {
          const name = nameOfError(code)
          return [partition, name === undefined ? undefined : brokerError(name)]
        })
      )
    },
    async close() {
      connector.close()
      connections.destroy()
    }
  }
}

const PRODUCE = 0

const writeProduce = (request: Buffer) => Writer.create().append(request)
const readProduce: ResponseParser<ProduceAnswer> = (_correlation, _key, _version, { buffer, position }) =>
  readProduceAnswer(buffer.slice(position))
