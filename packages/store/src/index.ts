export { checkIdentifier, type Db, DEFAULT_SCHEMA, type Queryable, storeOn } from './db.ts'
export * as errors from './errors.ts'
export { type ClientPool, migrate, printMigrations, requireSchema } from './migrate.ts'
export { writeEvents } from './write-events.ts'
