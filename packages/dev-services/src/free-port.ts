import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** Whether nothing listens on `127.0.0.1:port`. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/**
 * A free port from 15000 to 29999: below the ephemeral range, so that no outgoing connection takes the port of a
 * server that is down for a moment.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(15000, 30000)
    if (await isPortFree(port)) return port
  }
}
