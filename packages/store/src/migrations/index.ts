import { tables } from './001-tables.ts'
import { orderUnit } from './002-order-unit.ts'

/** A numbered step. `sql` is given the validated schema name. */
export interface Migration {
  version: number
  name: string
  sql: (schema: string) => string
}

/** All steps in order. Append only. */
export const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: 'tables', sql: tables },
  { version: 2, name: 'order-unit', sql: orderUnit }
]
