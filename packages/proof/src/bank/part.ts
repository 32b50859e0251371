import { randomUUID } from 'node:crypto'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, installPacked, launchKafka, launchPostgres, until } from '@steadfast/dev-services'
import { type Service, superviseService } from '@steadfast-examples/demo/supervise-service'
import pg from 'pg'
import type { Part, PartOptions, PartResult } from '../part.ts'
import { type Random, randomFrom } from '../random.ts'

/** What a payment's check comes to, and where the payment ends. */
const COURSES: Readonly<Record<string, string>> = {
  pass: 'PAID',
  fail: 'REFUSED',
  verdict: 'RETURNED',
  never: 'RETURNED',
  'late-pass': 'PAID',
  'late-fail': 'REFUSED'
}
/** What the services need beside the packages. */
const OTHERS = ['@fastify/postgres', 'fastify', 'pg', 'typebox']
const ACCOUNTS = 5
const OPENING = 1_000_000n
const KILLS = 6
const ORDERS = 240
const BETWEEN_ORDERS_MS = 100
const SETTLE_MS = 120_000

interface Bank {
  folder: string
  bank: Service
  fraud: Service
  pools: { bank: pg.Pool; fraud: pg.Pool }
  stop(): Promise<void>
}

/** Two services on the packages as they are published, installed in a folder of their own. */
async function openBank(folder: string): Promise<Bank> {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'bank', private: true, type: 'module' }))
  await installPacked(folder, OTHERS)
  cpSync(join(import.meta.dirname, 'services'), folder, { recursive: true })
  const [postgres, kafka] = await Promise.all([launchPostgres(), launchKafka()])
  const urlOf = (name: string) => Object.assign(new URL(postgres.url), { pathname: `/${name}` }).href
  const server = poolOf(postgres.url)
  for (const name of ['bank', 'fraud']) await server.query(`create database ${name} template template0`)
  await server.end()
  const start = async (name: 'bank' | 'fraud') =>
    superviseService({
      name,
      script: join(folder, `${name}.ts`),
      port: await freePort(),
      logFile: join(folder, `${name}.log`),
      env: { DATABASE_URL: urlOf(name), KAFKA_BROKERS: kafka.brokers.join() }
    })
  const [bank, fraud] = [await start('bank'), await start('fraud')]
  const pools = { bank: poolOf(urlOf('bank')), fraud: poolOf(urlOf('fraud')) }
  return {
    folder,
    bank,
    fraud,
    pools,
    async stop() {
      await Promise.all([bank.stop(), fraud.stop()])
      await Promise.all([pools.bank.end(), pools.fraud.end()])
      await Promise.all([postgres.stop(), kafka.stop()])
    }
  }
}

/** `end` does not wait for PostgreSQL to close the sessions: it may stop before, and say so to a pool that is gone. */
function poolOf(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString })
  pool.on('error', () => {})
  return pool
}

/** Orders payments, each until it is answered. Resolves with the course of each. */
async function order({ bank }: Bank, random: Random): Promise<Map<string, string>> {
  const ordered = new Map<string, string>()
  const one = async () => {
    const paymentId = randomUUID()
    const course = random.pick(Object.keys(COURSES))
    const body = { paymentId, accountId: random.between(1, ACCOUNTS), amount: random.between(1, 1000), course }
    const headers = { 'content-type': 'application/json', 'idempotency-key': paymentId }
    const ask = async () => {
      const signal = AbortSignal.timeout(5000)
      const init = { method: 'POST', body: JSON.stringify(body), headers, signal }
      return (await fetch(`${bank.url}/payments`, init)).status === 202
    }
    await until(() => ask().catch(() => false), { timeoutMs: SETTLE_MS, intervalMs: 100, what: `payment ${paymentId}` })
    ordered.set(paymentId, course)
  }
  const orders: Promise<void>[] = []
  for (let n = 0; n < ORDERS; n++) {
    orders.push(one())
    await new Promise(resolve => setTimeout(resolve, BETWEEN_ORDERS_MS))
  }
  await Promise.all(orders)
  return ordered
}

/** Kills one service after the other while payments are ordered. */
async function killSome({ bank, fraud }: Bank, random: Random): Promise<void> {
  for (let n = 0; n < KILLS; n++) {
    await new Promise(resolve => setTimeout(resolve, random.between(1500, 3500)))
    await (n % 2 === 0 ? bank : fraud).kill9()
  }
}

/** What the books say, where they are wrong. */
async function audit({ pools }: Bank, ordered: ReadonlyMap<string, string>): Promise<string[]> {
  const found: string[] = []
  const { rows: payments } = await pools.bank.query<{
    id: string
    course: string
    state: string
    amount: string
    moved: string
    debits: number
    credits: number
  }>(
    `select p.id, p.course, p.state, p.amount, coalesce(sum(e.amount), 0) as moved, (count(e.*) filter (where e.amount < 0))::int as debits,
       (count(e.*) filter (where e.amount > 0))::int as credits
     from payment p left join entry e on e.payment_id = p.id group by p.id`
  )
  const ids = new Set(payments.map(({ id }) => id))
  for (const id of ordered.keys()) if (!ids.has(id)) found.push(`payment ${id} was acknowledged and is not there`)
  for (const { id, course, state, amount, moved, debits, credits } of payments) {
    const what = `payment ${id} (${course})`
    if (!ordered.has(id)) found.push(`${what} was never ordered`)
    if (state !== COURSES[course]) found.push(`${what} ended as ${state}`)
    const due = state === 'PAID' ? -BigInt(amount) : 0n
    if (BigInt(moved) !== due) found.push(`${what} is ${state} and moved ${moved} of ${amount}`)
    if (debits - credits !== (state === 'PAID' ? 1 : 0)) found.push(`${what}: ${debits} debits and ${credits} credits`)
  }
  const { rows } = await pools.bank.query<{ sum: string }>('select sum(balance) from account')
  const paid = payments.filter(({ state }) => state === 'PAID').reduce((sum, { amount }) => sum + BigInt(amount), 0n)
  const sum = BigInt(rows[0]?.sum ?? 0)
  if (sum + paid !== OPENING * BigInt(ACCOUNTS)) found.push(`the accounts hold ${sum}, ${paid} were paid`)
  const { rows: checked } = await pools.fraud.query<{ id: string }>('select payment_id as id from checked')
  const unchecked = new Set(payments.filter(({ course }) => course !== 'verdict').map(({ id }) => id))
  for (const { id } of checked) unchecked.delete(id)
  for (const id of unchecked) found.push(`payment ${id} was never checked`)
  return found
}

async function isSettled({ pools }: Bank): Promise<boolean> {
  const { rows } = await pools.bank.query<{ n: number }>(
    `select (select count(*) from payment where state <> case course ${Object.entries(COURSES)
      .map(([course, state]) => `when '${course}' then '${state}'`)
      .join(' ')} end)::int
       + (select count(*) from steadfast.event where due or status in ('NEW', 'PUBLISHED') and awaits_from is not null)::int
       + (select count(*) from steadfast.inbox where state not in ('DONE', 'REFUSED'))::int as n`
  )
  return rows[0]?.n === 0
}

async function runBank({ seed, log }: PartOptions): Promise<PartResult> {
  const random = randomFrom(seed)
  const folder = mkdtempSync(join(tmpdir(), 'steadfast-bank-'))
  const open = await openBank(folder)
  let violations: string[] = []
  try {
    const [ordered] = await Promise.all([order(open, random.fork('orders')), killSome(open, random.fork('kills'))])
    log(`bank: ${ordered.size} payments ordered, ${KILLS} kills`)
    await until(() => isSettled(open), { timeoutMs: SETTLE_MS, intervalMs: 500, what: 'all to settle' }).catch(error =>
      violations.push((error as Error).message)
    )
    violations = [...violations, ...(await audit(open, ordered))]
    const { rows } = await open.pools.bank.query<{ n: number }>('select count(*)::int as n from steadfast.event')
    return {
      figures: { events: rows[0]?.n ?? 0, kills: KILLS },
      violations: violations.map(text => `${text}\n  (bank, seed ${seed}; ${folder})`)
    }
  } finally {
    await open.stop()
    if (violations.length === 0) rmSync(folder, { recursive: true, force: true })
  }
}

/** A bank and its fraud check, on the packages as they are published, killed under load: no money is made or lost. */
export const bank: Part = { name: 'bank', run: runBank }
