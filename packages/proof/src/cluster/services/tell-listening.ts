import { flushCompileCache } from 'node:module'
import type { FastifyInstance } from 'fastify'
import type { ServiceMessage } from './messages.ts'

interface Inside {
  name: string
  breaker: { reason(): string | undefined }
  chains: { size(): number }
  running: Set<unknown>
  active: Set<{ stage: string; item: { row: { eventId: string; key: string; position: string } } }>
}

interface Decorations {
  pg: { pool: { totalCount: number; idleCount: number; waitingCount: number } }
  inbox: Record<symbol, Map<string, Inside>>
  relay: { health(): unknown }
  transport: { health(): unknown }
}

/** What a person wants to know of a service that hangs. Reads the inbox's own state, as `/testing` of it does. */
function inspect(app: FastifyInstance): unknown {
  const { pg, inbox, relay, transport } = app as unknown as Decorations
  const { pool } = pg
  const groups = Object.getOwnPropertySymbols(inbox).flatMap(own => [...(inbox[own]?.values() ?? [])])
  return {
    pool: { total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount },
    relay: relay.health(),
    transport: transport.health(),
    groups: groups.map(({ name, breaker, chains, running, active }) => ({
      name,
      reason: breaker.reason(),
      chains: chains.size(),
      running: running.size,
      active: [...(active ?? [])].map(({ stage, item: { row } }) => [row.eventId, row.key, row.position, stage])
    }))
  }
}

/** Tells the harness that the service is up: from now on it may not end by itself. */
export function tellListening(app: FastifyInstance): void {
  Object.assign(globalThis, { inspectService: () => inspect(app) })
  // Most of its lives end by SIGKILL, at which nothing is kept for the next.
  flushCompileCache()
  process.send?.({ kind: 'listening' } satisfies ServiceMessage)
}
