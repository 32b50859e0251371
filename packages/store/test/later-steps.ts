import type { Migration, MigrationLimits, MigrationSet } from '@steadfast/events/migrations'
import { LATEST_VERSION } from '../src/schema/migrate.ts'
import { migrationSet } from '../src/schema/migration-set.ts'
import { MIGRATIONS } from '../src/schema/migrations/index.ts'

const after = (...steps: Migration[]): MigrationSet => migrationSet('steadfast', [...MIGRATIONS, ...steps])

export const NEXT = LATEST_VERSION + 1

const wider: Migration = {
  version: NEXT,
  name: 'wider',
  compatibleFrom: LATEST_VERSION,
  sql: s => `alter table ${s}.event add column spare text`
}
const narrower: Migration = {
  version: NEXT + 1,
  name: 'narrower',
  sql: s => `alter table ${s}.event drop column last_error`
}
const careless: Migration = {
  version: NEXT + 2,
  name: 'careless',
  compatibleFrom: LATEST_VERSION,
  sql: s => `alter table ${s}.event add column more text`
}
const index: Migration = {
  version: NEXT,
  name: 'index',
  compatibleFrom: LATEST_VERSION,
  concurrently: [{ index: 'event_correlated', on: 'event (correlation_id)' }, { drop: 'event_caused' }]
}

/** The schema as later versions of the package would have it. */
export const later = {
  wider: after(wider),
  narrower: after(wider, narrower),
  careless: after(wider, narrower, careless),
  index: after(index)
}

/** Short, for tests. */
export const IMPATIENT: MigrationLimits = { lockTimeoutMs: 300, attempts: 3, pauseMs: 100, secondClientMs: 300 }
