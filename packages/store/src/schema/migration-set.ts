import type { Migration, MigrationSet } from '@steadfast/events/migrations'
import { migrationChannel } from '../channels.ts'
import { checkIdentifier } from '../db.ts'
import { MigrationLocked, SchemaNewer } from '../errors.ts'
import { MIGRATIONS } from './migrations/index.ts'

// 'stdf' as a number: one lock for all schemas, held for one transaction, so that it works through pgbouncer.
const LOCK = 0x73746466

/**
 * The migrations of the store for one schema. Only tests give other `migrations`.
 *
 * @throws SF_STORE_IDENTIFIER_INVALID
 */
export function migrationSet(schema: string, migrations: readonly Migration[] = MIGRATIONS): MigrationSet {
  checkIdentifier('schema', schema)
  return {
    schema,
    inSql: schema,
    migrations,
    lock: { expression: '$1::bigint', value: LOCK },
    onStep({ version, name }) {
      if (migrationChannel.hasSubscribers) migrationChannel.publish({ schema, version, name })
    },
    newer: (found, known) => new SchemaNewer(schema, found, known),
    locked: ({ version, name }, reason) => new MigrationLocked(`${version} (${name})`, schema, reason)
  }
}
