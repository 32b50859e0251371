import { freePort, launchKafka, launchPostgres, startProxy, type TcpProxy, until } from '@steadfast/dev-services'
import type { Choice } from './choose-transport.ts'
import type { DatabaseServer } from './start-database.ts'

/** A broker that the demo may hurt, because it started it. */
export interface OwnBroker {
  /** SIGKILL. */
  kill9(): Promise<void>
  /** The same broker again, with its data. */
  restart(): Promise<void>
  /** What the services connect to, so that the network between can be cut. */
  proxy: TcpProxy
}

export interface Broker {
  /** For the services. */
  env: Record<string, string>
  /** For the demo itself: reaches the broker past the proxy. */
  address: string
  own: OwnBroker | undefined
  stop(): Promise<void>
}

async function startKafka(): Promise<Broker> {
  const port = await freePort()
  const kafka = await launchKafka({ advertised: `127.0.0.1:${port}` })
  const proxy = await startProxy({ targetPort: kafka.port, port })
  return {
    env: { TRANSPORT: 'kafka', KAFKA_BROKERS: `127.0.0.1:${port}` },
    address: kafka.brokers.join(','),
    own: { kill9: kafka.kill9, restart: kafka.restart, proxy },
    async stop() {
      await proxy.close()
      await kafka.stop()
    }
  }
}

/** PostgreSQL as a broker, on a server of its own: it can die while the services' databases live, as Kafka can. */
async function startPostgres(): Promise<Broker> {
  const postgres = await launchPostgres()
  const proxy = await startProxy({ targetPort: postgres.port })
  const url = new URL(postgres.url)
  url.port = String(proxy.port)
  const restart = () =>
    postgres.start().then(
      () => true,
      () => false
    )
  return {
    env: { TRANSPORT: 'postgres', TRANSPORT_DATABASE_URL: url.href },
    address: postgres.url,
    own: {
      async kill9() {
        process.kill(postgres.pid, 'SIGKILL')
      },
      // a server that was killed leaves processes behind, which hold its shared memory until they notice
      restart: async () => void (await until(restart, { intervalMs: 200, what: 'PostgreSQL to start again' })),
      proxy
    },
    async stop() {
      await proxy.close()
      await postgres.stop()
    }
  }
}

/** Starts the chosen broker, or finds the way to an existing one. */
export async function startBroker(choice: Choice, database: DatabaseServer): Promise<Broker> {
  if (choice.transport === 'postgres' && database.own !== undefined) return startPostgres()
  if (choice.transport === 'postgres') {
    const address = await database.createDatabase('broker')
    const env = { TRANSPORT: 'postgres', TRANSPORT_DATABASE_URL: address }
    return { env, address, own: undefined, stop: async () => {} }
  }
  if (choice.brokers === undefined) return startKafka()
  const env = { TRANSPORT: 'kafka', KAFKA_BROKERS: choice.brokers }
  return { env, address: choice.brokers, own: undefined, stop: async () => {} }
}
