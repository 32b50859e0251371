// Deliveries per second of one process, next to a bare loop of `inject` and one insert in a transaction.
// Run: node packages/inbox/bench/inbox.ts [deliveries]
import { randomUUID } from 'node:crypto'
import postgres from '@fastify/postgres'
import { launchPostgres } from '@steadfast/dev-services'
import { type Delivery, defineEvent, type Transport } from '@steadfast/events'
import outbox from '@steadfast/outbox'
import { migrate } from '@steadfast/store'
import fastify from 'fastify'
import fp from 'fastify-plugin'
import pg from 'pg'
import { Type } from 'typebox'
import inbox from '../src/index.ts'
import { deliveryOf } from '../src/testing.ts'

const TOTAL = Number(process.argv[2] ?? 10_000)
const KEYS = 500
const IN_FLIGHT = 100
const ROUNDS = 3

const data = Type.Object({ id: Type.String(), n: Type.Integer() })
const Ask = defineEvent({ type: 'bench.asked', topic: 'asks', key: d => d.id, awaits: { from: 'worker' }, data })
const Answer = defineEvent({ type: 'bench.answered', topic: 'answers', key: d => d.id, answers: Ask, data })

const server = await launchPostgres()
const pool = new pg.Pool({ connectionString: server.url })
await migrate(pool)
await pool.query('create table effect (id text, n integer)')

interface Rate {
  perSecond: number
  /** This process's own time, which tells more than the rate where others share the machine. */
  cpuMicros: number
}

async function rateOf(total: number, inFlight: number, work: (n: number) => Promise<unknown>): Promise<Rate> {
  const start = performance.now()
  const cpu = process.cpuUsage()
  let next = 0
  const lane = async () => {
    while (next < total) await work(next++)
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  const { user, system } = process.cpuUsage(cpu)
  return { perSecond: (total / (performance.now() - start)) * 1000, cpuMicros: (user + system) / total }
}

async function bare(): Promise<Rate> {
  const app = fastify()
  await app.register(postgres, { connectionString: server.url })
  app.post('/', { schema: { body: data } }, async request => {
    const { id, n } = request.body as { id: string; n: number }
    const client = await app.pg.connect()
    try {
      await client.query('begin')
      await client.query('insert into effect values ($1, $2)', [id, n])
      await client.query('commit')
    } finally {
      client.release()
    }
    return ''
  })
  await app.ready()
  const rate = await rateOf(TOTAL, IN_FLIGHT, n =>
    app.inject({ method: 'POST', url: '/', payload: { id: `k${n % KEYS}`, n } })
  )
  await app.close()
  return rate
}

async function consumer(answers: boolean): Promise<Rate> {
  let hand: (delivery: Delivery) => void = () => {}
  const transport = {
    name: 'bench',
    capabilities: { order: 'key', rewind: false },
    subscribe: async (_: unknown, onDelivery: (delivery: Delivery) => void) => {
      hand = onDelivery
      return {
        pause() {},
        resume() {},
        close: async () => {},
        lag: async () => 0n,
        end: async () => '',
        rewind: async () => {}
      }
    }
  } as unknown as Transport
  const app = fastify()
  await app.register(postgres, { connectionString: server.url })
  await app.register(fp(async instance => void instance.decorate('transport', transport)))
  await app.register(outbox, { source: 'worker', contracts: [Answer as never] })
  await app.register(inbox, { retryPollMs: 0 })
  app.onEvent(Ask, async (request, reply) => {
    await request.tx.query('insert into effect values ($1, $2)', [request.body.id, request.body.n])
    if (answers) await reply.sendEvent(Answer, request.body)
  })
  await app.ready()
  const all = Array.from({ length: TOTAL }, (_, n) => deliveryOf(Ask, { id: `k${n % KEYS}`, n }, { id: randomUUID() }))
  const rate = await rateOf(TOTAL, IN_FLIGHT, n => new Promise<void>(done => hand({ ...(all[n] as Delivery), done })))
  await app.close()
  return rate
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
const runs: Record<string, () => Promise<Rate>> = {
  'inject, begin, insert, commit': bare,
  'delivery with one insert': () => consumer(false),
  'delivery with one insert, one answer': () => consumer(true)
}
const rates = new Map<string, Rate[]>()
for (let round = 0; round < ROUNDS; round++)
  for (const [name, run] of Object.entries(runs)) rates.set(name, [...(rates.get(name) ?? []), await run()])
const base = median((rates.values().next().value ?? []).map(r => r.perSecond))
for (const [name, found] of rates) {
  const rate = median(found.map(r => r.perSecond))
  const cpu = median(found.map(r => r.cpuMicros))
  console.log(
    `${name.padEnd(38)}${Math.round(rate)}/s  ${(rate / base).toFixed(2)}  ${Math.round(cpu)} µs of this process`
  )
}
await pool.end()
await server.stop()
