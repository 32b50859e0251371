import type { Admin } from 'kafkajs'
import { type Client, createClient } from './client.ts'
import { TransportClosed } from './errors.ts'
import type { Logger, Settings } from './options.ts'
import { settled, within } from './within.ts'

/** Lends an admin client. */
export interface Admins {
  /** Runs `work` with a connected admin client, bounded in time. After any failure the next call gets a fresh client. */
  use<T>(what: string, work: (admin: Admin) => Promise<T>): Promise<T>
  close(deadlineMs: number): Promise<void>
}

interface Lent {
  client: Client
  admin: Admin
  connected: Promise<void>
  users: number
}

/**
 * One admin client, shared, connected when first needed. It is dropped after a failure since kafkajs remembers topics
 * that were asked for and then fails every refresh of its metadata while one of them has no leader.
 */
export function createAdmins(settings: Settings, logger: Logger): Admins {
  let current: Lent | undefined
  let closed = false
  const limitMs = settings.connectionTimeoutMs + 2 * settings.requestTimeoutMs

  function lend(): Lent {
    if (current) return current
    const client = createClient(settings, logger)
    const admin = client.kafka.admin()
    const connected = admin.connect()
    connected.catch(() => undefined)
    current = { client, admin, connected, users: 0 }
    return current
  }

  function drop(lent: Lent): void {
    if (current === lent) current = undefined
    if (lent.users === 0) void lent.admin.disconnect().catch(() => lent.client.destroy(new TransportClosed()))
  }

  return {
    async use(what, work) {
      if (closed) throw new TransportClosed()
      const lent = lend()
      lent.users++
      try {
        const result = await within(
          lent.connected.then(() => work(lent.admin)),
          limitMs,
          what
        )
        lent.users--
        if (lent !== current) drop(lent)
        return result
      } catch (error) {
        lent.users--
        drop(lent)
        throw error
      }
    },

    async close(deadlineMs) {
      closed = true
      const lent = current
      current = undefined
      if (!lent) return
      await settled(lent.admin.disconnect(), deadlineMs)
      lent.client.destroy(new TransportClosed())
    }
  }
}
