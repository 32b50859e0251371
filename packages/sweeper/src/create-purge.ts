import {
  type Db,
  type InboxCursor,
  purgeEvents,
  purgeIdempotency,
  purgeInbox,
  purgeReplays
} from '@steadfast/store/internal'
import type { Retention } from './retention.ts'

/** One bounded batch. `done`: the table holds nothing more to remove now. */
type Batch = (db: Db, now: Date | undefined) => Promise<{ purged: number; done: boolean }>

/** A walk over all tables that remembers where it stands. */
export interface Purge {
  /** Runs the next batch. `done`: the walk has been through all tables, and will begin anew. */
  step(run: <T>(verb: (db: Db) => Promise<T>) => Promise<T>, now?: Date): Promise<{ purged: number; done: boolean }>
}

export function createPurge(retention: Retention, limit: number): Purge {
  let event: string | null = null
  let delivery: InboxCursor | null = null
  const batches: Batch[] = [
    async (db, now) => {
      const { eventsMs: olderThanMs, answersMs: answersOlderThanMs } = retention
      const { purged, next } = await purgeEvents(db, { olderThanMs, answersOlderThanMs, limit, after: event }, now)
      event = next
      return { purged, done: next === null }
    },
    async (db, now) => {
      const { purged, next } = await purgeInbox(db, { olderThanMs: retention.inboxMs, limit, after: delivery }, now)
      delivery = next
      return { purged, done: next === null }
    },
    async (db, now) => {
      const purged = await purgeIdempotency(db, { limit }, now)
      return { purged, done: purged < limit }
    },
    async (db, now) => {
      const purged = await purgeReplays(db, { olderThanMs: retention.replaysMs, limit }, now)
      return { purged, done: purged < limit }
    }
  ]
  let table = 0
  return {
    async step(run, now) {
      const batch = batches[table] as Batch
      const { purged, done } = await run(db => batch(db, now))
      if (done) table = (table + 1) % batches.length
      return { purged, done: done && table === 0 }
    }
  }
}
