import type {} from 'fastify'
import type { Transport } from './transport.ts'

export type { Transport }

// A plugin that decorates a server with a transport, or uses one, imports this: the member is declared once.
declare module 'fastify' {
  interface FastifyInstance {
    /** Where events are published and consumed. */
    transport: Transport
  }
}
