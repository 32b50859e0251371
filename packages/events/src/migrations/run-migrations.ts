import { setTimeout as delay } from 'node:timers/promises'
import { noteStep, prepareBookkeeping } from './bookkeeping.ts'
import { describeHolder } from './describe-holder.ts'
import { changeIndex, plainChange } from './index-change.ts'
import { isUpToDate, latestOf, readSchemaState } from './schema-state.ts'
import {
  type LendClient,
  MIGRATION_LIMITS,
  type Migration,
  type MigrationClient,
  type MigrationLimits,
  type MigrationSet
} from './types.ts'

const NOT_AVAILABLE = '55P03'
const DEADLOCK = '40P01'

/**
 * Applies what is missing, step by step. Each step is a transaction under an advisory lock, which also guards a step that
 * works outside of one, so that processes that start together apply each step once. Works through pgbouncer.
 *
 * A step waits for the locks it needs for a short time only, and tries again after a pause: who comes behind it in
 * the queue would wait as long as it does. A schema that is up to date is only read. In one that is made here nobody
 * writes yet: its steps are all transactions.
 *
 * @param lend  is asked for a second client, while the first is in use, by a step that works outside of a transaction
 * @returns the versions that were applied here
 * @throws the set's `newer` and `locked`
 */
export async function runMigrations(lend: LendClient, set: MigrationSet, limits = MIGRATION_LIMITS): Promise<number[]> {
  if (await lend(client => isUpToDate(client, set))) return []
  const applied: number[] = []
  for (let failures = 0; ; ) {
    const outcome = await lend(client =>
      applyNext(client, lend, set, limits, applied[0] === set.migrations[0]?.version)
    )
    if (outcome.kind === 'finished') return applied
    if (outcome.kind === 'applied') {
      applied.push(outcome.step.version)
      if (outcome.step.version === latestOf(set)) return applied
      failures = 0
    } else if (outcome.kind === 'locked') {
      if (++failures >= limits.attempts) throw outcome.error
      await delay(limits.pauseMs)
    }
  }
}

type Outcome =
  | { kind: 'finished' }
  | { kind: 'applied'; step: Migration }
  /** Another process migrates. */
  | { kind: 'busy' }
  | { kind: 'locked'; error: Error }

async function applyNext(
  client: MigrationClient,
  lend: LendClient,
  set: MigrationSet,
  limits: MigrationLimits,
  isFresh: boolean
): Promise<Outcome> {
  let next: Migration | undefined
  // Whatever the role's default: each statement sees what was committed before it, and no snapshot outlives it.
  await client.query(`begin isolation level read committed; set local lock_timeout = ${limits.lockTimeoutMs}`)
  try {
    if (!(await isOurTurn(client, set))) return await end(client, { kind: 'busy' })
    const state = await readSchemaState(client, set)
    next = set.migrations.find(({ version }) => version > state.version)
    if (next === undefined) return await end(client, { kind: 'finished' })
    await prepareBookkeeping(client, set, state)
    if ('sql' in next) await client.query(next.sql(set.inSql))
    else if (isFresh) for (const change of next.concurrently) await client.query(plainChange(set.inSql, change))
    else await changeIndexes(client, lend, set, next, limits.secondClientMs)
    await noteStep(client, set, next)
    await client.query('commit')
    return { kind: 'applied', step: next }
  } catch (error) {
    await client.query('rollback').catch(() => {})
    const { code } = error as { code?: string }
    if (next === undefined || (code !== NOT_AVAILABLE && code !== DEADLOCK)) throw error
    return { kind: 'locked', error: set.locked(next, await describeHolder(client, set)) }
  }
}

/**
 * Waits for the others in short stretches: who waits inside a statement holds a snapshot, and CREATE INDEX CONCURRENTLY
 * waits for the snapshots it found.
 */
async function isOurTurn(client: MigrationClient, { lock }: MigrationSet): Promise<boolean> {
  try {
    await client.query(`select pg_catalog.pg_advisory_xact_lock(${lock.expression})`, [lock.value])
    return true
  } catch (error) {
    if ((error as { code?: string }).code === NOT_AVAILABLE) return false
    throw error
  }
}

async function end(client: MigrationClient, outcome: Outcome): Promise<Outcome> {
  await client.query('rollback')
  return outcome
}

/** On a client of its own, while this one keeps the advisory lock for as long as it takes. */
async function changeIndexes(
  client: MigrationClient,
  lend: LendClient,
  set: MigrationSet,
  step: Extract<Migration, { concurrently: unknown }>,
  waitMs: number
): Promise<void> {
  await client.query(
    `select pg_catalog.set_config(name, '0', true) from pg_catalog.pg_settings
     where name in ('idle_in_transaction_session_timeout', 'transaction_timeout')`
  )
  await lendSecond(lend, waitMs, async other => {
    for (const change of step.concurrently) await changeIndex(other, set, change)
  })
}

/** A pool that lends one client only would let this one wait for itself. */
async function lendSecond(
  lend: LendClient,
  waitMs: number,
  work: (client: MigrationClient) => Promise<void>
): Promise<void> {
  let late: NodeJS.Timeout | undefined
  let gaveUp = false
  const lent = new Promise<void>((resolve, reject) => {
    late = setTimeout(() => {
      gaveUp = true
      reject(
        new Error('a step that builds an index while others write needs a second connection, and the pool lent none')
      )
    }, waitMs)
    lend(async client => {
      clearTimeout(late)
      if (!gaveUp) await work(client)
    }).then(resolve, reject)
  })
  await lent.finally(() => clearTimeout(late))
}
