import net from 'node:net'
import tls from 'node:tls'
import { InvalidOptions } from '@steadfast/events'
import kafkajs, { type ISocketFactoryArgs, type Kafka, type logCreator, type SASLOptions } from 'kafkajs'
import type { Logger, Sasl, Settings } from '../options.ts'

/** A kafkajs client of its own. Each consumer needs one: clients share the offsets they remember per group. */
export interface Client {
  kafka: Kafka
  /** Breaks every connection now, so that whatever waits for an answer fails at once. */
  destroy(reason: Error): void
}

/** Makes a client that connects only when it is used. */
export function createClient(settings: Settings, logger: Logger): Client {
  const sockets = new Set<net.Socket>()
  let destroyed: Error | undefined

  function connect({ host, port, ssl, onConnect }: ISocketFactoryArgs): net.Socket {
    const socket = ssl
      ? tls.connect({ host, port, ...(net.isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
      : net.connect({ host, port }, onConnect)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, 60_000)
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    if (destroyed) socket.destroy(destroyed)
    return socket
  }

  const kafka = new kafkajs.Kafka({
    clientId: settings.clientId,
    brokers: settings.brokers,
    ...(settings.ssl === undefined ? {} : { ssl: settings.ssl }),
    ...(settings.sasl === undefined ? {} : { sasl: saslOf(settings.sasl) }),
    connectionTimeout: settings.connectionTimeoutMs,
    requestTimeout: settings.requestTimeoutMs,
    retry: { retries: 2, initialRetryTime: 100, maxRetryTime: 2000 },
    socketFactory: connect,
    logLevel: kafkajs.logLevel.WARN,
    logCreator: toDebug(logger)
  })
  return {
    kafka,
    destroy(reason) {
      destroyed = reason
      // With an error, since kafkajs hears 'end' and 'error' only.
      for (const socket of sockets) socket.destroy(reason)
    }
  }
}

// kafkajs logs rebalances and other daily events as errors; what matters is reported by the transport itself.
function toDebug(logger: Logger): logCreator {
  return () =>
    ({ namespace, log: { message, timestamp, ...details } }) =>
      logger.debug({ kafkajs: { namespace, ...details } }, message)
}

/** kafkajs asks for nothing but tokens: names and passwords that change need the other client. */
function saslOf({ mechanism, username, password, token }: Sasl): SASLOptions {
  if (mechanism.toLowerCase() === 'oauthbearer')
    return {
      mechanism: 'oauthbearer',
      oauthBearerProvider: async () => ({ value: (typeof token === 'function' ? await token() : token) ?? '' })
    }
  if (typeof username === 'function' || typeof password === 'function')
    throw new InvalidOptions(
      '@steadfast/transport-kafka/kafkajs',
      'option "sasl": kafkajs takes no functions for username and password'
    )
  return {
    mechanism: mechanism.toLowerCase() as 'plain',
    username: username ?? '',
    password: password ?? ''
  }
}
