import pg from 'pg'

/** The server on which databases are provisioned. */
export interface Target {
  /** Connection URL of a role that may create databases and roles. */
  url: string
  /** Passwords are derived from it. */
  secret: string
  /** Names of databases and roles begin with it. */
  prefix: string
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
  close(): Promise<void>
}

/** Connects to the target server with a small pool of its own. */
export function connectTarget({ url, secret, prefix }: Pick<Target, 'url' | 'secret' | 'prefix'>): Target {
  if (!/^[a-z][a-z0-9_]{0,25}$/.test(prefix)) throw new Error(`not a plain prefix for names: ${prefix}`)
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'deploy',
    max: 4,
    connectionTimeoutMillis: 5000,
    statement_timeout: 30_000
  })
  pool.on('error', () => {}) // an idle connection that ends is replaced; the next query tells
  return { url, secret, prefix, query: (text, values) => pool.query(text, values), close: () => pool.end() }
}

/** Name of the database, and of its role, that belongs to a deployment. Plain letters: it needs no quoting. */
export function databaseName(target: Pick<Target, 'prefix'>, deploymentId: string): string {
  const name = `${target.prefix}${deploymentId.replaceAll('-', '')}`
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(name)) throw new Error(`not a deployment id: ${deploymentId}`)
  return name
}
