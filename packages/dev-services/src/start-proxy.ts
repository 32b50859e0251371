import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { type Faults, forwardBytes } from './forward-bytes.ts'
import { freePort } from './free-port.ts'

export interface ProxyOptions {
  /** Port of the server behind, on 127.0.0.1. */
  targetPort: number
  /** Port of the proxy; default: a free port. */
  port?: number
}

/** A TCP proxy on 127.0.0.1 that injects faults of the network. */
export interface TcpProxy {
  readonly port: number
  /** Bytes that `blackhole()` has swallowed so far. */
  readonly swallowedBytes: number
  /** Resets all connections and refuses new ones. */
  cut(): Promise<void>
  /** Takes every fault back. Connections that lost bytes to `blackhole()` are reset: their stream has a gap. */
  restore(): Promise<void>
  /** Holds every byte back for so many milliseconds, in each direction; 0 ends that. */
  delay(ms: number): void
  /** Swallows the bytes of a direction, while connections stay open and new ones are taken. */
  blackhole(direction: 'to-server' | 'to-client' | 'both'): void
  /** Resets the connections there are; new ones are taken. */
  dropConnections(): void
  /** Resets all connections and ends the proxy. */
  close(): Promise<void>
}

interface State {
  faults: Faults
  connections: Set<Connection>
  swallowedBytes: number
}

interface Connection {
  client: Socket
  server: Socket
  isBroken: boolean
}

// A socket whose end is still on its way cannot be reset: libuv refuses, Node.js 24 takes it for closed all the same,
// and the process then spins for ever when it exits.
function resetSocket(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy()
  else socket.resetAndDestroy()
}

const reset = (connection: Connection) => {
  resetSocket(connection.client)
  resetSocket(connection.server)
}

function join(client: Socket, targetPort: number, state: State): void {
  const { faults, connections } = state
  const server = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  const connection: Connection = { client, server, isBroken: false }
  const onSwallowed = (bytes: number) => {
    connection.isBroken = true
    state.swallowedBytes += bytes
  }
  connections.add(connection)
  client.setNoDelay(true)
  forwardBytes({ name: 'to-server', from: client, to: server, onSwallowed }, faults)
  forwardBytes({ name: 'to-client', from: server, to: client, onSwallowed }, faults)
  for (const [socket, other] of [
    [client, server],
    [server, client]
  ] as const) {
    socket.on('error', () => resetSocket(other))
    socket.on('close', () => {
      if (client.destroyed && server.destroyed) connections.delete(connection)
    })
  }
}

/** Starts a proxy in front of a server, to cut, delay or swallow what goes through it. */
export async function startProxy(options: ProxyOptions): Promise<TcpProxy> {
  const port = options.port ?? (await freePort())
  const state: State = { faults: { delayMs: 0, blackhole: 'none' }, connections: new Set(), swallowedBytes: 0 }
  const { faults, connections } = state
  let listener: Server | undefined

  const listen = async () => {
    listener = createServer({ allowHalfOpen: true }, client => join(client, options.targetPort, state))
    await once(listener.listen(port, '127.0.0.1'), 'listening')
  }
  const dropConnections = () => {
    for (const connection of connections) reset(connection)
  }
  const cut = async () => {
    const closing = listener
    listener = undefined
    const closed = closing === undefined ? undefined : once(closing, 'close')
    closing?.close()
    dropConnections()
    await closed
  }
  await listen()
  return {
    port,
    get swallowedBytes() {
      return state.swallowedBytes
    },
    cut,
    async restore() {
      Object.assign(faults, { delayMs: 0, blackhole: 'none' } satisfies Faults)
      for (const connection of connections) if (connection.isBroken) reset(connection)
      if (listener === undefined) await listen()
    },
    delay(ms) {
      faults.delayMs = ms
    },
    blackhole(direction) {
      faults.blackhole = direction
    },
    dropConnections,
    close: cut
  }
}
