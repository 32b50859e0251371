import { randomUUID } from 'node:crypto'
import type { Database } from './database.ts'
import type { Hint, Hub } from './hub.ts'
import { notify } from './sql/notify.ts'

/** Tells all processes that something has changed. Only a hint: nothing waits for it, and it may be lost. */
export interface Announcer {
  /** Marks this process's notifications, which it need not hear. */
  readonly sender: string
  announce(hint: Partial<Hint>): void
}

/** What travels; without topics and groups: anything may have changed. */
export interface Announcement extends Partial<Hint> {
  sender: string
}

// pg_notify takes less than 8000 bytes.
const MAX_PAYLOAD = 7900

/** The channel of a log. @param schema quoted */
export function channelOf(schema: string): string {
  return schema.slice(1, -1)
}

/**
 * At most one NOTIFY is under way, outside the publishing transactions (in them it would make commits wait for each
 * other); what comes meanwhile goes together in the next.
 */
export function createAnnouncer(db: Database, hub: Hub, remote: boolean): Announcer {
  const sender = randomUUID()
  const topics = new Set<string>()
  const groups = new Set<string>()
  let sending = false

  async function send(): Promise<void> {
    sending = true
    while (topics.size + groups.size > 0) {
      const announcement: Announcement = { sender, topics: [...topics], groups: [...groups] }
      topics.clear()
      groups.clear()
      let payload = JSON.stringify(announcement)
      if (Buffer.byteLength(payload) > MAX_PAYLOAD) payload = JSON.stringify({ sender } satisfies Announcement)
      await notify(db, channelOf(db.schema), payload).catch(() => {})
    }
    sending = false
  }

  return {
    sender,
    announce(hint) {
      hub.tell({ topics: hint.topics ?? [], groups: hint.groups ?? [] })
      if (!remote) return
      for (const topic of hint.topics ?? []) topics.add(topic)
      for (const group of hint.groups ?? []) groups.add(group)
      if (!sending) void send()
    }
  }
}
