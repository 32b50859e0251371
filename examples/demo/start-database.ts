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

/** Lets nobody but its owner into a database that the server came with. */
async function closeDatabases(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query('revoke all on database postgres from public')
    await client.query('revoke all on database template1 from public')
  } finally {
    await client.end()
  }
}

/** Uses the server at `DATABASE_URL`, or starts one of its own. */
export async function startDatabase(existing: string | undefined): Promise<DatabaseServer> {
  const own = existing ? undefined : await launchPostgres()
  if (own !== undefined) await closeDatabases(own.url)
  const url = own?.url ?? existing ?? ''
  return {
    url,
    own,
    prefix: own ? 'd_' : `d${Date.now().toString(36)}_`,
    async createDatabase(name) {
      // what an existing server calls market is somebody's; a name of our own may be replaced
      const database = own ? name : `steadfast_demo_${name}`
      const client = new pg.Client({ connectionString: url })
      await client.connect()
      try {
        await client.query(`drop database if exists ${database} with (force)`)
        await client.query(`create database ${database} template template0`)
        // Customers have roles on this server too.
        await client.query(`revoke all on database ${database} from public`)
      } finally {
        await client.end()
      }
      const address = new URL(url)
      address.pathname = `/${database}`
      return address.href
    },
    stop: async () => own?.stop()
  }
}
