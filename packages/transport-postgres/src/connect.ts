import { checkRights } from './check-rights.ts'
import type { Database } from './database.ts'
import type { Health } from './health.ts'
import { type Loop, startLoop } from './loop.ts'
import { migrate } from './migrate.ts'

/** Knows whether the tables are there, and looks after the connection while nobody else does. */
export interface Connection {
  /** Resolves when the tables are there; rejects when they could not be looked for. */
  ready(): Promise<void>
  /** Publishing failed: probe until PostgreSQL answers again, whether or not anyone publishes. */
  failed(error: Error): void
  stop(): Promise<void>
}

const SOURCE = 'connection'

async function prepare(db: Database): Promise<void> {
  await migrate(db)
  await checkRights(db)
}

export function connect(db: Database, health: Health): Connection {
  let migrated: Promise<void> | undefined
  let broken = true
  health.pending(SOURCE, new Error('not yet connected'))

  function ready(): Promise<void> {
    migrated ??= prepare(db).catch(error => {
      migrated = undefined
      throw error
    })
    return migrated
  }

  const probing: Loop = startLoop({
    async run() {
      await ready()
      if (broken) await db.rows('select 1')
      broken = false
      health.worked(SOURCE)
      return Number.POSITIVE_INFINITY
    },
    onError: error => health.failed(SOURCE, error)
  })

  return {
    ready,
    failed(error) {
      broken = true
      health.failed(SOURCE, error)
      probing.poke()
    },
    stop: () => probing.stop()
  }
}
