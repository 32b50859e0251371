import { POSTGRES_PLANS, type PostgresPlan } from '@steadfast-examples/contracts'
import { answersQuery } from './answers-query.ts'
import { derivePassword, deriveSalt } from './derive-password.ts'
import { scramVerifier } from './scram-verifier.ts'
import { databaseName, type Target } from './target.ts'

/** What a step needs to know. */
export interface StepInput {
  id: string
  plan: PostgresPlan
}

/** `'done'`: on to the next step; `'wait'`: ask again later; a reason: this will never succeed. */
export type StepResult = 'done' | 'wait' | { reason: string }

type Step = (target: Target, input: StepInput) => Promise<StepResult>

/** The plan's limits, or why there is none. */
export function findPlan(product: string, plan: string): PostgresPlan | { reason: string } {
  if (product !== 'postgres') return { reason: `there is no plan ${plan} of a product ${product} here` }
  if (!Object.hasOwn(POSTGRES_PLANS, plan)) return { reason: `there is no plan ${plan} of postgres here` }
  return POSTGRES_PLANS[plan as keyof typeof POSTGRES_PLANS]
}

const check: Step = async (target, { plan }) => {
  const { rows } = await target.query(
    `select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as available`
  )
  const { available } = rows[0] as { available: number }
  if (plan.connections > available)
    return { reason: `the plan grants ${plan.connections} connections; the target server has ${available}` }
  return 'done'
}

const exists = async (target: Target, query: string, name: string) =>
  (await target.query(query, [name])).rows.length > 0

const createRole: Step = async (target, { id, plan }) => {
  const name = databaseName(target, id)
  const verb = (await exists(target, 'select 1 from pg_roles where rolname = $1', name)) ? 'alter' : 'create'
  const verifier = scramVerifier(derivePassword(target.secret, id), deriveSalt(target.secret, id))
  await target.query(`${verb} role ${name} login connection limit ${plan.connections} password '${verifier}'`)
  return 'done'
}

const createDatabase: Step = async (target, { id, plan }) => {
  const name = databaseName(target, id)
  if (await exists(target, 'select 1 from pg_database where datname = $1', name)) return 'done'
  await target.query(`create database ${name} template template0 connection limit ${plan.connections}`)
  return 'done'
}

const applyLimits: Step = async (target, { id, plan }) => {
  const name = databaseName(target, id)
  const settings = {
    statement_timeout: `${plan.statementTimeoutMs}ms`,
    idle_in_transaction_session_timeout: `${plan.idleInTransactionTimeoutMs}ms`,
    work_mem: `${plan.workMemMb}MB`
  }
  for (const [setting, value] of Object.entries(settings))
    await target.query(`alter role ${name} in database ${name} set ${setting} = '${value}'`)
  return 'done'
}

const closeToOthers: Step = async (target, { id }) => {
  const name = databaseName(target, id)
  await target.query(`revoke all on database ${name} from public`)
  await target.query(`grant connect, create, temporary on database ${name} to ${name}`)
  return 'done'
}

const poll: Step = async (target, { id, plan }) => ((await answersQuery(target, id, plan)) ? 'done' : 'wait')

/** The steps in their order. Each may run any number of times, by several workers even, and leaves the same behind. */
export const STEPS: readonly (readonly [name: string, step: Step])[] = [
  ['check', check],
  ['role', createRole],
  ['database', createDatabase],
  ['limits', applyLimits],
  ['access', closeToOthers],
  ['poll', poll]
]
