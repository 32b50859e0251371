import type pg from 'pg'
import type { ServiceName } from '../../check/look-up.ts'
import type { Cluster } from '../../cluster/start-cluster.ts'

// Not the requests that await an answer and the signals about them: the machine goes on with those meanwhile.
const EVENTS = `(select * from steadfast.event where type not like 'steadfast.%' and key not like 'held-%')`
const OWN = [EVENTS, ...['inbox', 'audit', 'replay', 'idempotency'].map(name => `steadfast.${name}`)]
const TABLES: Record<ServiceName, readonly string[]> = {
  market: [...OWN, 'orders', 'note', 'note_key'],
  deploy: [...OWN, 'deployment', 'note_effect']
}

const SERVICES: readonly ServiceName[] = ['market', 'deploy']

/** Number and hash of the rows of every table, by its name. */
export type Snapshot = ReadonlyMap<string, string>

async function snapshotOf(pool: pg.Pool, service: ServiceName): Promise<[string, string][]> {
  const looks = TABLES[service].map(async (table): Promise<[string, string]> => {
    const { rows } = await pool.query(
      `select count(*) || ' rows, ' || coalesce(md5(string_agg(t::text, '|' order by t::text)), 'none') as is from ${table} t`
    )
    return [`${table === EVENTS ? 'steadfast.event' : table} of ${service}`, (rows[0] as { is: string }).is]
  })
  return await Promise.all(looks)
}

/** All rows of both services that a request could write or change. */
export async function takeSnapshot({ pools }: Pick<Cluster, 'pools'>): Promise<Snapshot> {
  return new Map((await Promise.all(SERVICES.map(service => snapshotOf(pools[service], service)))).flat())
}

/** The tables that differ, with what they were and are. */
export function changesOf(before: Snapshot, after: Snapshot): string[] {
  return [...before].flatMap(([table, was]) =>
    after.get(table) === was ? [] : [`${table}: ${was}; now ${after.get(table)}`]
  )
}
