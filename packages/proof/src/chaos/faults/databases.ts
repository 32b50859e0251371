import pg from 'pg'
import type { SmallDisk } from '../../cluster/small-disk.ts'
import type { Cluster } from '../../cluster/start-cluster.ts'
import { type FaultKind, insist, pause, serviceOf } from './fault.ts'

/** Something done by the harness in a session of its own, past the proxies. */
async function inSession(
  cluster: Cluster,
  database: 'market' | 'deploy',
  work: (client: pg.Client) => Promise<unknown>
) {
  const url = new URL(cluster.postgres.url)
  url.pathname = `/${database}`
  const client = new pg.Client({
    connectionString: url.href,
    application_name: 'nemesis',
    connectionTimeoutMillis: 5000
  })
  client.on('error', () => {})
  await client.connect()
  try {
    await work(client)
  } finally {
    await client.end().catch(() => {})
  }
}

const READ_ONLY = 'alter system set default_transaction_read_only'

/** What happens to PostgreSQL. */
export const databaseFaults: FaultKind[] = [
  ({ cluster: { postgres }, random }) => ({
    name: 'stop -m immediate',
    target: 'postgres',
    uses: ['postgres'],
    async run() {
      await postgres.stopImmediate()
      await pause(random, 0, 1500)
      await postgres.start()
    }
  }),
  ({ cluster, random }) => ({
    name: 'pg_terminate_backend',
    target: 'postgres',
    uses: [],
    run: () =>
      inSession(cluster, 'market', client =>
        client.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where datname in ('market', 'deploy') and pid <> pg_backend_pid() and application_name in ('market', 'deploy') and random() < $1`,
          [random.next()]
        )
      ).catch(() => {})
  }),
  ({ cluster, random }) => ({
    name: 'read-only',
    target: 'postgres',
    uses: ['postgres'],
    async run() {
      const set = (to: string) =>
        inSession(cluster, 'market', async client => {
          await client.query(`${READ_ONLY} = ${to}`)
          await client.query('select pg_reload_conf()')
        })
      await set('on').catch(() => {})
      await pause(random, 1000, 3000)
      await insist(() => set('off'))
    }
  }),
  ({ cluster, random }) => {
    const database = serviceOf(random)
    const hold = async (client: pg.Client) => {
      await client.query('begin isolation level repeatable read')
      await client.query('select count(*) from steadfast.event')
      await pause(random, 3000, 8000)
    }
    return {
      name: 'pinned xmin',
      target: database,
      uses: [],
      run: () => inSession(cluster, database, hold).catch(() => {})
    }
  }
]

/** The server's disk is full: statements fail, or the server crashes and cannot recover until there is room again. */
export const diskFull =
  (disk: SmallDisk): FaultKind =>
  ({ cluster, random }) => ({
    name: 'disk full',
    target: 'postgres',
    uses: ['postgres'],
    async run() {
      try {
        await disk.fill()
        await pause(random, 1000, 4000)
      } finally {
        await disk.free()
      }
      await insist(async () => {
        const { postgres } = cluster
        if (!postgres.running) await postgres.start()
        await inSession(cluster, 'market', client => client.query('select 1'))
      })
    }
  })
