import { bookkeeping, compatibleFromOf, widening } from './bookkeeping.ts'
import { createIndex, dropIndex, plainChange } from './index-change.ts'
import { MIGRATION_LIMITS, type Migration, type MigrationSet } from './types.ts'

/**
 * The SQL of the steps after version `from`, for psql and its like: each step is a transaction, except, on tables that are
 * in use, those that cannot be in one, whose statements stand by themselves.
 */
export function printMigrationSet(set: MigrationSet, from: number): string {
  const { inSql } = set
  const steps = set.migrations.filter(({ version }) => version > from)
  if (steps.length === 0) return ''
  const start =
    from === 0
      ? transaction([`create schema if not exists ${inSql};`, `${bookkeeping(inSql)};`])
      : transaction([`${widening(inSql)};`])
  return [start, ...steps.map(step => printStep(inSql, step, from === 0))].join('\n')
}

function printStep(inSql: string, step: Migration, isFresh: boolean): string {
  const { version, name } = step
  const note = `insert into ${inSql}.migration (version, name, compatible_from) values (${version}, '${name}', ${compatibleFromOf(step)});`
  const title = `-- ${version} ${name}\n`
  if ('sql' in step) return title + transaction([step.sql(inSql), note])
  if (isFresh) {
    const changes = step.concurrently.map(change => `${plainChange(inSql, change)};`)
    return title + transaction([...changes, note])
  }
  const changes = step.concurrently.flatMap(change =>
    'drop' in change ? [dropIndex(inSql, change.drop)] : [dropIndex(inSql, change.index), createIndex(inSql, change)]
  )
  return `${title}${changes.map(change => `${change};\n`).join('')}${note}\n`
}

const transaction = (lines: string[]): string =>
  ['begin;', `set local lock_timeout = '${MIGRATION_LIMITS.lockTimeoutMs}ms';`, ...lines, 'commit;', ''].join('\n')
