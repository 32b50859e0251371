import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/**
 * Lets a server close although clients hold connections. One on which no request has ever come, as browsers and HTTP
 * clients open them on suspicion, Node takes for a busy one and waits a minute for its headers; one whose last request
 * is still being answered it would keep alive afterwards.
 */
export function dropUnusedConnections(app: FastifyInstance): void {
  const unused = new Set<Socket>()
  const answering = new Set<ServerResponse>()
  let closing = false
  app.server.on('connection', (socket: Socket) => {
    if (closing) return void socket.destroy()
    unused.add(socket)
    socket.once('close', () => unused.delete(socket))
  })
  app.server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    unused.delete(socket)
    if (closing) return response.setHeader('connection', 'close')
    answering.add(response)
    response.once('close', () => answering.delete(response))
  })
  app.addHook('preClose', async () => {
    closing = true
    for (const socket of unused) socket.destroy()
    for (const response of answering) if (!response.headersSent) response.setHeader('connection', 'close')
  })
}
