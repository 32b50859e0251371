import type pg from 'pg'
import { orderTag } from '../chaos/send-requests.ts'
import type {
  AuditRow,
  Bounds,
  DeploymentRow,
  EventRow,
  Evidence,
  FinalState,
  InboxRow,
  LogRecord,
  NoteEffect,
  NoteRow,
  OrderRow,
  ReplayRow,
  ServiceEvidence,
  Transition
} from '../check/evidence.ts'
import { FORBIDDEN_TOPIC, placeOf } from '../check/look-up.ts'
import { GROUPS, lagOf, readLog, TOPICS } from './read-log.ts'
import type { Cluster } from './start-cluster.ts'

const all = async <Row>(pool: pg.Pool, text: string) => (await pool.query(text)).rows as Row[]

async function serviceEvidence(pool: pg.Pool): Promise<ServiceEvidence> {
  return {
    events: await all<EventRow>(pool, 'select *, payload::text as payload from steadfast.event order by seq'),
    inbox: await all<InboxRow>(pool, 'select * from steadfast.inbox order by arrival'),
    audit: await all<AuditRow>(pool, 'select * from steadfast.audit order by id'),
    transitions: await all<Transition>(pool, 'select * from proof.transition order by number')
  }
}

/** Everything that can be known after a run. The services may be down. */
export async function collectEvidence(
  cluster: Cluster,
  parts: { deleted: readonly LogRecord[]; final: FinalState; bounds: Bounds }
): Promise<Evidence> {
  const { pools, journal, kafka } = cluster
  type Order = Pick<OrderRow, 'id' | 'status'> & { parameters: { failureRate?: number } | null }
  const orders = await all<Order>(pools.market, 'select id, status, parameters from orders')
  const records = new Map(
    (await readLog(kafka.direct, [...TOPICS, FORBIDDEN_TOPIC])).map(record => [placeOf(record), record])
  )
  for (const record of parts.deleted) records.set(placeOf(record), record)
  return {
    market: {
      ...(await serviceEvidence(pools.market)),
      orders: orders.map(({ id, status, parameters }) => ({
        id,
        status,
        tag: orderTag(parameters) ?? `unnamed-${id}`
      })),
      notes: await all<NoteRow>(pools.market, 'select * from note')
    },
    deploy: {
      ...(await serviceEvidence(pools.deploy)),
      deployments: await all<DeploymentRow>(pools.deploy, 'select id, order_id, status from deployment'),
      effects: await all<NoteEffect>(pools.deploy, 'select * from note_effect order by applied'),
      replays: await all<ReplayRow>(pools.deploy, 'select id, total, ended_at, stopped_at from steadfast.replay')
    },
    log: [...records.values()],
    journal: [...journal.entries],
    final: parts.final,
    bounds: parts.bounds
  }
}

interface Plan {
  Plan: { 'Shared Hit Blocks': number; 'Shared Read Blocks': number }
}

/** Buffers that the relay's look for due events touches. */
async function claimBuffers(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query(
    'explain (analyze, buffers, format json) select id from steadfast.event where due and not replay order by topic, seq limit 1000'
  )
  const { Plan } = (rows[0] as { 'QUERY PLAN': [Plan] })['QUERY PLAN'][0]
  return Plan['Shared Hit Blocks'] + Plan['Shared Read Blocks']
}

const VACUUM = `select n_dead_tup::int as dead, n_live_tup::int as live, format(
    'autovacuum came %s times, last at %s; the oldest snapshot is of %s',
    autovacuum_count, last_autovacuum,
    (select format('%s (%s, %s)', application_name, state, clock_timestamp() - xact_start) from pg_stat_activity
     where backend_xmin is not null and pid <> pg_backend_pid() order by age(backend_xmin) desc limit 1)) as told
  from pg_stat_user_tables where schemaname = 'steadfast' and relname = 'event'`

const vacuum = async (pool: pg.Pool) => (await pool.query(VACUUM)).rows[0] as FinalState['vacuum'][string]

/** How everything stands, with the services still running. */
export async function observeFinalState({ pools, kafka, processes }: Cluster): Promise<FinalState> {
  const idle = await pools.market.query(
    `select count(*)::int as n from pg_stat_activity
     where application_name in ('market', 'deploy') and state like 'idle in transaction%' and state_change < clock_timestamp() - interval '1 second'`
  )
  const unfit = await Promise.all(processes.map(async p => [p.name, await p.unfitness()] as const))
  const lag = Object.fromEntries(
    await Promise.all(
      (Object.keys(GROUPS) as (keyof typeof GROUPS)[]).map(async group => [
        group,
        String(await lagOf(kafka.direct, group))
      ])
    )
  )
  return {
    at: Date.now(),
    idleInTransaction: idle.rows[0].n,
    lag,
    notReady: unfit.flatMap(([name, reason]) => (reason === undefined ? [] : [`${name}: ${reason}`])),
    vacuum: { market: await vacuum(pools.market), deploy: await vacuum(pools.deploy) },
    claimBuffers: { market: await claimBuffers(pools.market), deploy: await claimBuffers(pools.deploy) }
  }
}
