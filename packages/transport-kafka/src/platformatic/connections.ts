import { isIP } from 'node:net'
import {
  type API,
  type Broker,
  type Connection,
  type ConnectionOptions,
  ConnectionPool,
  ConnectionStatuses,
  ResponseError
} from '@platformatic/kafka'
import { TransportClosed } from '../errors.ts'
import type { Settings } from '../options.ts'

/**
 * Connections for one purpose: one to each broker that is asked, made when it is first needed. A request that waits, for
 * data or for a group, holds up what is behind it on its connection, and nothing of another purpose.
 */
export interface Connections {
  /** To one of these brokers that can be reached; one that is connected comes first. */
  toAny(brokers: readonly Broker[]): Promise<Connection>
  to(broker: Broker): Promise<Connection>
  /** Breaks them now, so that whatever waits for an answer fails. No more are made. */
  destroy(): void
}

/** An answer that does not come within `requestTimeoutMs` breaks its connection. */
export function createConnections(settings: Settings, requestTimeoutMs: number): Connections {
  const pool = new ConnectionPool(settings.clientId, { ...optionsOf(settings), requestTimeout: requestTimeoutMs })
  // A connection that fails says so to whoever waits for it; an event that nobody hears would end the process.
  pool.on('connecting', ({ connection }) => void connection.on('error', () => undefined))
  let destroyed = false
  const check = () => {
    if (destroyed) throw new TransportClosed()
  }
  const isClosing = (broker: Broker) => GOING.has(pool.getEstablishedConnection(broker)?.status ?? '')
  return {
    async toAny(brokers) {
      check()
      for (const [, connection] of pool) if (connection.isConnected()) return connection
      return await again(brokers.some(isClosing), () => pool.getFirstAvailable([...brokers]))
    },
    async to(broker) {
      check()
      return await again(isClosing(broker), () => pool.get(broker))
    },
    destroy() {
      destroyed = true
      for (const [, connection] of pool) connection.socket?.destroy()
      pool.close().catch(() => undefined)
    }
  }
}

const GOING = new Set<string>([ConnectionStatuses.CLOSING, ConnectionStatuses.CLOSED, ConnectionStatuses.ERROR])

/** A connection that is being closed is handed out until it is closed; only then another one is made. */
async function again(isClosing: boolean, get: () => Promise<Connection>): Promise<Connection> {
  return isClosing ? await get().catch(get) : await get()
}

/**
 * Sends a request on a connection. The client makes an error of an answer in which anything has failed; here it is the
 * answer, with the error codes in their places.
 */
export async function send<Args extends unknown[], Answer>(
  connection: Connection,
  api: API<Args, Answer>,
  ...args: Args
): Promise<Answer> {
  try {
    return await api.async(connection, ...args)
  } catch (thrown) {
    if (thrown instanceof ResponseError && thrown.response !== undefined) return thrown.response as Answer
    throw thrown
  }
}

/** `host:port`, `[address of IPv6]:port`; without a port 9092. */
export function readAddress(text: string): Broker {
  const [, ipv6, host = '', port = '9092'] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text) ?? []
  return { host: ipv6 ?? host, port: Number(port) }
}

function optionsOf({ connectionTimeoutMs, brokers, ssl, sasl }: Settings): ConnectionOptions {
  const named = brokers.every(broker => isIP(readAddress(broker).host) === 0)
  return {
    connectTimeout: connectionTimeoutMs,
    // How much is on its way is bounded by who sends it.
    maxInflights: 100,
    ...(ssl === undefined || ssl === false ? {} : { tls: ssl === true ? {} : ssl, tlsServerName: named }),
    ...(sasl === undefined ? {} : { sasl: { ...sasl, mechanism: sasl.mechanism.toUpperCase() as 'PLAIN' } })
  }
}
