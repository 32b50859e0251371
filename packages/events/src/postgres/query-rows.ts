import { OWN_TYPES } from './own-types.ts'

/** What every handle of PostgreSQL can do: a pool, a client, a transaction, or an adapter around a query builder. */
export interface Handle {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}

/** A statement with parsers of its own, as node-postgres takes it. */
export interface Statement {
  text: string
  values: unknown[] | undefined
  types: typeof OWN_TYPES
}

/** Marks a handle, other than node-postgres' own, that takes a {@link Statement} in place of text and values. */
export const TAKES_STATEMENTS: unique symbol = Symbol.for('steadfast.takesStatements')

/** The mark, or what a pool and `fastify.pg` have, or what a client has. */
const MARKS = [TAKES_STATEMENTS, 'Client', 'getTypeParser']

/**
 * Runs a statement of Steadfast's own, with its own parsers where the handle takes them. An adapter around a query
 * builder does not: what it answers is as its owner has it parsed.
 */
export async function queryRows<Row>(handle: Handle, text: string, values?: unknown[]): Promise<Row[]> {
  const taking = MARKS.some(mark => mark in handle)
    ? (handle as Handle & { query(statement: Statement): Promise<{ rows: unknown[] }> })
    : undefined
  const { rows } = await (taking?.query({ text, values, types: OWN_TYPES }) ?? handle.query(text, values))
  return rows as Row[]
}
