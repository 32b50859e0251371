import { launchPostgres, type PostgresServer } from '@steadfast/dev-services'
import pg from 'pg'

/** The PostgreSQL server of the demo: both services' databases, and the target of deployments. */
export interface DatabaseServer {
  url: string
  /** Present when the demo started it, so that it may be stopped the hard way. */
  own: PostgresServer | undefined
  /** Names of provisioned databases begin with it; an existing server may hold those of an earlier run. */
  prefix: string
  /** An empty database of that name; one that an earlier run left is replaced. */
  createDatabase(name: string): Promise<string>
  stop(): Promise<void>
}

async function runOn(url: string, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

/** Customers have roles on this server: none but its owner may enter a database. */
const closeToAll = (database: string) => `revoke all on database ${database} from public`

/** Uses the server at `DATABASE_URL`, or starts one of its own. */
export async function startDatabase(existing: string | undefined): Promise<DatabaseServer> {
  const own = existing ? undefined : await launchPostgres()
  if (own !== undefined) await runOn(own.url, ['postgres', 'template1'].map(closeToAll))
  const url = own?.url ?? existing ?? ''
  return {
    url,
    own,
    prefix: own ? 'd_' : `d${Date.now().toString(36)}_`,
    async createDatabase(name) {
      // what an existing server calls market is somebody's; a name of our own may be replaced
      const database = own ? name : `steadfast_demo_${name}`
      await runOn(url, [
        `drop database if exists ${database} with (force)`,
        `create database ${database} template template0`,
        closeToAll(database)
      ])
      const address = new URL(url)
      address.pathname = `/${database}`
      return address.href
    },
    stop: async () => own?.stop()
  }
}
