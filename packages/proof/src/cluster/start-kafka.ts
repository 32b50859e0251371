import { freePort, type KafkaBroker, launchKafka, startProxy, type TcpProxy } from '@steadfast/dev-services'

/** A broker that clients know by its proxy, and the harness by a listener that no fault touches. */
export interface AttackedKafka {
  broker: KafkaBroker
  proxy: TcpProxy
  /** For the services. */
  advertised: string
  /** For the harness. */
  direct: string
  stop(): Promise<void>
}

export async function startKafka(): Promise<AttackedKafka> {
  const [port, inner, controller, front] = await Promise.all([freePort(), freePort(), freePort(), freePort()])
  const on = (p: number) => `127.0.0.1:${p}`
  const broker = await launchKafka({
    port,
    properties: {
      listeners: `CLIENT://${on(port)},INNER://${on(inner)},CONTROLLER://${on(controller)}`,
      'advertised.listeners': `CLIENT://${on(front)},INNER://${on(inner)}`,
      'controller.quorum.voters': `1@${on(controller)}`
    }
  })
  const proxy = await startProxy({ targetPort: port, port: front })
  return {
    broker,
    proxy,
    advertised: on(front),
    direct: on(inner),
    async stop() {
      await proxy.close()
      await broker.stop()
    }
  }
}
