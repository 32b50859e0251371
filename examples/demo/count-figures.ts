import { DeploymentRequested } from '@steadfast-examples/contracts'
import type pg from 'pg'

/** What the databases and the target server say. */
export interface Figures {
  accepted: number
  deployed: number
  realDeployments: number
  confirmed: number
  failed: number
  /** Sends of requests beyond the first. */
  resent: number
  /** Sends of answers beyond the first. */
  replayed: number
  parked: number
  duplicateDeployments: number
  /** Orders without an end. */
  unfinished: number
  /** Requests without a confirmation, and answers still to be sent. */
  unsettled: number
  p50Ms: number
  p99Ms: number
}

export interface Ledgers {
  market: pg.Pool
  deploy: pg.Pool
  target: pg.Pool
  /** Names of provisioned databases begin with it. */
  prefix: string
}

const first = async <Row>(pool: pg.Pool, text: string, values: unknown[] = []) =>
  (await pool.query(text, values)).rows[0] as Row

const countOrders = (market: pg.Pool) =>
  first<Pick<Figures, 'accepted' | 'failed' | 'unfinished' | 'p50Ms' | 'p99Ms'>>(
    market,
    `with latency as (select extract(epoch from finished_at - created_at) * 1000 as ms from orders where finished_at is not null)
     select count(*)::int as accepted, (count(*) filter (where status = 'FAILED'))::int as failed,
       (count(*) filter (where status in ('PLACED', 'DELAYED')))::int as unfinished,
       coalesce((select percentile_cont(0.5) within group (order by ms) from latency), 0)::int as "p50Ms",
       coalesce((select percentile_cont(0.99) within group (order by ms) from latency), 0)::int as "p99Ms"
     from orders`
  )

const countRequests = (market: pg.Pool) =>
  first<Pick<Figures, 'confirmed' | 'resent' | 'parked' | 'unsettled'>>(
    market,
    `select (count(*) filter (where status = 'CONFIRMED'))::int as confirmed, coalesce(sum(greatest(count - 1, 0)), 0)::int as resent,
       (count(*) filter (where status = 'PARKED'))::int as parked,
       (count(*) filter (where due or status in ('NEW', 'PUBLISHED')))::int as unsettled
     from steadfast.event where type = $1`,
    [DeploymentRequested.type]
  )

const countAnswers = (deploy: pg.Pool) =>
  first<{ replayed: number; due: number }>(
    deploy,
    `select coalesce(sum(greatest(count - 1, 0)), 0)::int as replayed, (count(*) filter (where due))::int as due
     from steadfast.event where is_answer`
  )

async function countDeployments({ deploy, target, prefix }: Ledgers) {
  const { rows: databases } = await target.query<{ name: string }>(
    'select datname as name from pg_database where starts_with(datname, $1)',
    [prefix]
  )
  const ids = databases.map(({ name }) => name.slice(prefix.length))
  return first<{ deployed: number; real: number; twice: number; orphans: number }>(
    deploy,
    `with target as (select unnest($1::uuid[]) as id)
     select (count(*) filter (where status = 'READY'))::int as deployed,
       (select count(*) from target join deployment d using (id) where d.status = 'READY')::int as real,
       (count(*) - count(distinct order_id))::int as twice,
       (select count(*) from target left join deployment d using (id) where d.id is null or d.status = 'FAILED')::int as orphans
     from deployment`,
    [ids]
  )
}

/** Counts everything anew. Throws while a database is away. */
export async function countFigures(ledgers: Ledgers): Promise<Figures> {
  const [orders, requests, answers, deployments] = await Promise.all([
    countOrders(ledgers.market),
    countRequests(ledgers.market),
    countAnswers(ledgers.deploy),
    countDeployments(ledgers)
  ])
  return {
    ...orders,
    ...requests,
    unsettled: requests.unsettled + answers.due,
    deployed: deployments.deployed,
    realDeployments: deployments.real,
    replayed: answers.replayed,
    duplicateDeployments: deployments.twice + deployments.orphans
  }
}

/** How many of the acknowledged orders have no row: a 202 that was a lie. */
export async function countMissing(market: pg.Pool, ids: readonly string[]): Promise<number> {
  const { missing } = await first<{ missing: number }>(
    market,
    'select count(*)::int as missing from unnest($1::uuid[]) as known(id) where not exists (select from orders o where o.id = known.id)',
    [ids]
  )
  return missing
}
