export { printMigrationSet } from './print-migrations.ts'
export { runMigrations } from './run-migrations.ts'
export { checkNotNewer, isUpToDate, latestOf, readSchemaState, type SchemaState } from './schema-state.ts'
export {
  type IndexChange,
  type LendClient,
  MIGRATION_LIMITS,
  type Migration,
  type MigrationClient,
  type MigrationLimits,
  type MigrationSet
} from './types.ts'
