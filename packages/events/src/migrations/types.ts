import type { Handle } from '../postgres/query-rows.ts'

/** One client of a pool, as far as migrations need it. */
export type MigrationClient = Handle

/** Lends a client for the time of `work`, and destroys it afterwards when `work` rejects because its connection broke. */
export type LendClient = <T>(work: (client: MigrationClient) => Promise<T>) => Promise<T>

/** An index that is to be there after a migration, or to be gone. `on`: what follows `on <schema>.` in CREATE INDEX. */
export type IndexChange = { index: string; unique?: boolean; on: string } | { drop: string }

/** A numbered step of a schema. Released steps are never edited. */
export type Migration = {
  version: number
  name: string
  /**
   * The oldest version of the schema whose code also runs on this one. Default: `version`, which locks older code out.
   * A step that only widens gives the version that it widens.
   */
  compatibleFrom?: number
} & (
  | {
      /** Runs in one transaction. @param schema as it stands in SQL */
      sql(schema: string): string
    }
  | {
      /** Indexes made and dropped CONCURRENTLY, outside of a transaction: writers go on meanwhile. */
      concurrently: readonly IndexChange[]
    }
)

/** The steps of one schema, and the names by which they are known. */
export interface MigrationSet {
  /** The schema's plain name. */
  schema: string
  /** The schema as it stands in SQL. */
  inSql: string
  /** In order of their versions. */
  migrations: readonly Migration[]
  /** The advisory lock under which migrations run: an expression of the parameter `$1`, and its value. */
  lock: { expression: string; value: unknown }
  /** Called after each step, before it is committed. */
  onStep?(step: Migration): void
  /** The schema is at a later version, on which this code does not run. */
  newer(found: number, known: number): Error
  /** A step did not get its locks. `reason`: what stood in its way. */
  locked(step: Migration, reason: string): Error
}

/** How long a step waits for its locks. */
export interface MigrationLimits {
  /** Others queue behind a step that waits for a lock, so long at most. */
  lockTimeoutMs: number
  /** How often a step is tried. */
  attempts: number
  /** Between two attempts, in which those who queued go on. */
  pauseMs: number
  /** How long a step waits for the second client that it needs. */
  secondClientMs: number
}

/** A step is given up after half a minute. */
export const MIGRATION_LIMITS: MigrationLimits = {
  lockTimeoutMs: 2_000,
  attempts: 10,
  pauseMs: 1_000,
  secondClientMs: 10_000
}
