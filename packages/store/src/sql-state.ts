/** The SQLSTATE of an error that PostgreSQL answered with, of itself or of what caused it; else `undefined`. */
export function sqlStateOf(error: unknown): string | undefined {
  for (let e = error, depth = 0; e instanceof Error && depth < 5; e = e.cause, depth++) {
    const { code, severity } = e as Error & { code?: unknown; severity?: unknown }
    // Node's own codes may look like one (EPIPE); only PostgreSQL's errors have a severity.
    if (typeof code === 'string' && typeof severity === 'string' && /^[0-9A-Z]{5}$/.test(code)) return code
  }
  return undefined
}

// node-postgres gives these no code
const DRIVER_GAVE_UP = new Set([
  'Query read timeout',
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable'
])

/**
 * Whether the error says that its connection is of no use any more: by the server's word, by the driver giving up on it,
 * or because it leads to a node that is read-only since a failover (25006).
 */
export function endsConnection(error: unknown): boolean {
  const state = sqlStateOf(error)
  if (state !== undefined && /^(?:08|57P|25006)/.test(state)) return true
  const { severity, message } = error as { severity?: unknown; message?: unknown }
  return severity === 'FATAL' || severity === 'PANIC' || DRIVER_GAVE_UP.has(String(message))
}

/** What an error of a statement says about the database, in words for a person who asks whether it can be worked with. */
export function databaseProblem(error: unknown): string {
  const { message } = error as { message?: unknown }
  return sqlStateOf(error) === '25006' ? `it is read-only: ${message}` : String(message)
}
