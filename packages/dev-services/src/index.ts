export { freePort } from './free-port.ts'
export { launchPostgres, type PostgresOptions, type PostgresServer } from './launch-postgres.ts'
export { type Teardown, type TestDatabase, testDatabase } from './test-database.ts'
export { type UntilOptions, until } from './until.ts'
