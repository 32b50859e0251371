import { backoffMs, within } from '@steadfast/events/runtime'
import type { Db } from '@steadfast/store/internal'
import type { FastifyBaseLogger } from 'fastify'
import type { Client } from 'pg'

/** Tells relays of other processes that something is due, and hears of it. Only a hint: polling finds everything. */
export interface Announcer {
  start(): void
  /** Something was committed here. Announced once for all that commits within 10 ms. */
  announce(): void
  close(): Promise<void>
}

export interface AnnouncerOptions {
  db: Db
  /** A connection that is not from the pool, and not through a pooler in transaction mode. */
  connect(): Client
  heard(): void
  log: FastifyBaseLogger
  /** Between two questions whether the listening connection still works. */
  heartbeatMs: number
}

// NOTIFY takes a lock at COMMIT that all notifying transactions queue for, hence: outside them, and not for each.
const QUIET_MS = 10
const CONNECT_MS = 10_000

export function createAnnouncer({ db, connect, heard, log, heartbeatMs }: AnnouncerOptions): Announcer {
  // A longer name is refused by one statement and cut by the other.
  const channel = `steadfast_${db.schema}`.slice(0, 63)
  let client: Client | undefined
  let notifying: NodeJS.Timeout | undefined
  let retry: NodeJS.Timeout | undefined
  let failures = 0
  let closed = false

  function lost(of: Client, error?: Error): void {
    of.removeAllListeners('notification')
    destroy(of)
    if (client !== of) return
    client = undefined
    if (closed) return
    if (error !== undefined) log.debug({ err: error }, 'the listening connection was lost')
    retry = setTimeout(listen, backoffMs(failures++, { firstMs: 100, lastMs: 10_000 })).unref()
  }

  async function listen(): Promise<void> {
    const own = connect()
    client = own
    own.on('error', error => lost(own, error))
    own.on('end', () => lost(own))
    own.on('notification', heard)
    try {
      await answered(own.connect(), CONNECT_MS)
      await own.query(`listen "${channel}"`)
      failures = 0
      // What was announced while nobody listened.
      heard()
      beat(own)
    } catch (error) {
      lost(own, error as Error)
    }
  }

  /** A half-open connection stays silent for ever unless it is asked. */
  function beat(own: Client): void {
    retry = setTimeout(async () => {
      try {
        await answered(own.query('select'), heartbeatMs)
        if (client === own && !closed) beat(own)
      } catch (error) {
        lost(own, error as Error)
      }
    }, heartbeatMs).unref()
  }

  return {
    start: () => void listen(),
    announce() {
      notifying ??= setTimeout(() => {
        notifying = undefined
        db.rows('select pg_notify($1, $2)', [channel, '']).catch(error => log.debug({ err: error }, 'not announced'))
      }, QUIET_MS).unref()
    },
    async close() {
      closed = true
      clearTimeout(retry)
      clearTimeout(notifying)
      const own = client
      client = undefined
      if (own !== undefined) await answered(own.end(), 1000).catch(() => destroy(own))
    }
  }
}

const answered = <T>(work: Promise<T>, ms: number): Promise<T> =>
  within(work, ms, () => new Error(`no answer within ${ms} ms`))

/** Ends it without waiting for the server, which may be out of reach. */
function destroy(client: Client): void {
  client.end().catch(() => {})
  const { connection } = client as unknown as { connection: { stream: { destroy(): void } } }
  connection.stream.destroy()
}
