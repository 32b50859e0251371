import { randomUUID } from 'node:crypto'
import { until } from '@steadfast/dev-services'
import { type AnyEventContract, InProgressSignal, type Outgoing, ReceiptSignal, RefusedSignal } from '@steadfast/events'
import { deliveryOf } from '@steadfast/inbox/testing'
import fc from 'fast-check'
import type { FastifyInstance } from 'fastify'
import type { Pool } from 'pg'
import { randomFrom } from '../../random.ts'
import { withDatabase } from '../../with-database.ts'
import { startWatch } from '../watch.ts'
import { Good, TOPIC } from './contracts.ts'
import { Asked, PEER, SIGNALS, startService } from './fuzz-service.ts'
import { damaged } from './json-texts.ts'
import { findWrongs, type Sent } from './judge-inbox.ts'
import { describeRecord, giants, type WireRecord, wireRecord } from './records.ts'

const BATCH = 200
const SETTLE_MS = 120_000
const KEYS = ['k0', 'k1', 'k2']

/** As a message of a transport, with a mark by which it is found again, and an id of its own unless that is the fuzz. */
function outgoing(record: WireRecord, mark: string): Outgoing {
  const headers = Object.fromEntries(record.headers.map(([name, value]) => [name, value ?? Buffer.alloc(0)]))
  const id = headers.ce_id?.toString()
  // Another event's id would make a duplicate of it, which is another matter.
  if (id !== undefined && id !== '' && !id.includes('\u0000')) headers.ce_id = Buffer.from(`${mark}/${id}`)
  headers.mark = Buffer.from(mark)
  return {
    topic: TOPIC,
    key: record.key?.toString().replaceAll('\u0000', '') ?? '',
    headers,
    value: record.value ?? Buffer.alloc(0)
  }
}

function good(n: number, mark: string): Outgoing {
  const key = KEYS[n % KEYS.length] as string
  const { headers, raw } = deliveryOf(Good, { id: key, n }, { headers: { mark } })
  return { topic: TOPIC, key, headers, value: raw }
}

const words = fc.constantFrom('no', 'a\u0000b', '\ud800', '\u0000', '', 'x'.repeat(100_000))
/** What is said about the service's own events: fit to be taken as a signal or nearly so. */
const signalOf = (ids: readonly string[]) =>
  fc.record({
    contract: fc.constantFrom<AnyEventContract[]>(RefusedSignal, InProgressSignal, ReceiptSignal),
    data: fc.record(
      {
        eventId: fc.oneof(fc.constantFrom(...ids), fc.uuid(), words),
        consumer: words,
        status: fc.oneof(fc.constantFrom(409, 2 ** 53, -1), words),
        code: words,
        message: words
      },
      { noNullPrototype: true, requiredKeys: ['consumer'] }
    )
  })

function signals(ids: readonly string[], seed: number, count: number): Outgoing[] {
  const intact = signalOf(ids).map(({ contract, data }) => ({ contract, value: Buffer.from(JSON.stringify(data)) }))
  const broken = intact.chain(({ contract, value }) =>
    damaged(fc.constant(value)).map(bytes => ({ contract, value: bytes }))
  )
  return fc.sample(fc.oneof(intact, intact, broken), { seed, numRuns: count }).map(({ contract, value }, i) => {
    const { headers } = deliveryOf(contract, { eventId: 'x', consumer: 'x', status: 1, message: '' } as never, {
      source: PEER
    })
    return {
      topic: SIGNALS,
      key: KEYS[i % KEYS.length] as string,
      headers: { ...headers, mark: Buffer.from(`signal ${i}`) },
      value
    }
  })
}

/** Good and bad ones in any order; the good ones of each key in theirs. */
function mix(seed: number, count: number): Sent[] {
  const random = randomFrom(seed)
  const bad = fc.sample(wireRecord, { seed, numRuns: count }).map((record, i): Sent => {
    const mark = `fuzzed ${i}`
    return { mark, message: outgoing(record, mark), isGood: false, story: describeRecord(record) }
  })
  const large = giants(2_000_000).map(([what, record], i): Sent => {
    const mark = `giant ${i}`
    return { mark, message: outgoing(record, mark), isGood: false, story: what }
  })
  const others = random.shuffle([...bad, ...large])
  const goods = Math.ceil(count / 2)
  const sent: Sent[] = []
  for (let n = 0; n < goods; n++) {
    const mark = `good ${n}`
    sent.push({ mark, message: good(n, mark), isGood: true, story: mark })
    sent.push(...others.splice(0, random.between(0, Math.ceil((2 * others.length) / (goods - n)))))
  }
  return [...sent, ...others]
}

async function publish(app: FastifyInstance, sent: readonly Sent[]): Promise<string[]> {
  const wrongs: string[] = []
  for (let i = 0; i < sent.length; i += BATCH) {
    const batch = sent.slice(i, i + BATCH)
    const results = await app.transport.publish(
      batch.map(({ message }) => message),
      AbortSignal.timeout(60_000)
    )
    for (const [n, result] of results.entries()) {
      if (result.ok) continue
      wrongs.push(`the transport does not take ${batch[n]?.mark}: ${result.error.message}\n  fed: ${batch[n]?.story}`)
    }
  }
  return wrongs
}

/** The service's own events, on their way to the peer. */
async function ask(app: FastifyInstance, pool: Pool, count: number): Promise<string[]> {
  const asked = await app.outbox.transaction(async tx => {
    const events = []
    for (let n = 0; n < count; n++) events.push(await tx.sendEvent(Asked, { n }))
    return events
  })
  await pool.query(`update steadfast.event set status = 'PUBLISHED', due = false, count = 1`)
  return asked.map(({ id }) => id)
}

async function feed(app: FastifyInstance, pool: Pool, seed: number, count: number): Promise<string[]> {
  const ids = await ask(app, pool, 10)
  const last = await ask(app, pool, 1)
  const sent = mix(seed, count)
  const said = signals(ids, seed, Math.ceil(count / 5)).map((message): Sent => {
    const mark = message.headers.mark?.toString() ?? ''
    return { mark, message, isGood: false, story: `signal ${message.value.toString('latin1').slice(0, 500)}` }
  })
  // Behind all the others of each partition: a signal that must take effect.
  const { headers, raw } = deliveryOf(
    RefusedSignal,
    { eventId: last[0] as string, consumer: 'c', status: 409, message: 'no' },
    { source: PEER }
  )
  const final = KEYS.map((key): Sent => {
    const message = { topic: SIGNALS, key, headers: { ...headers, ce_id: Buffer.from(randomUUID()) }, value: raw }
    return { mark: 'final', message, isGood: false, story: 'the last signal' }
  })
  const wrongs = await publish(app, [...sent, ...said, ...final])
  try {
    await until(async () => (await app.inbox.lag()) === 0n, { timeoutMs: SETTLE_MS })
    // What waited behind a type that nobody knows goes on when the patience with that is over.
    const isFinished = async () => {
      await app.inbox.tick()
      const open = `select from steadfast.inbox where state in ('RETRY', 'BLOCKED', 'UNKNOWN') limit 1`
      return (await pool.query(open)).rows.length === 0
    }
    await until(isFinished, { timeoutMs: SETTLE_MS, what: 'nothing waits' })
  } catch {
    wrongs.push(
      `the position does not move past something: lag ${await app.inbox.lag()}, ${app.inbox.health().reason ?? 'not paused'}`
    )
  }
  wrongs.push(...(await findWrongs(pool, [...sent, ...said])))
  const { rows } = await pool.query('select status from steadfast.event where id = $1', [last[0]])
  if (rows[0]?.status !== 'PARKED') wrongs.push(`a good signal behind fuzzed ones took no effect: ${rows[0]?.status}`)
  return wrongs
}

/** Feeds an inbox on a real database and a real transport with fuzzed records between good ones, and judges its tables. */
export async function fuzzInbox(options: {
  seed: number
  count: number
  postgresUrl: string
  log(line: string): void
}): Promise<string[]> {
  const { seed, count, postgresUrl, log } = options
  const begun = performance.now()
  const watch = startWatch()
  const wrongs: string[] = []
  try {
    await withDatabase(postgresUrl, async (url, pool) => {
      const app = await startService(url, pool)
      try {
        wrongs.push(...(await feed(app, pool, seed, count)))
      } finally {
        await app.close()
      }
    })
    wrongs.push(...watch.take())
  } finally {
    watch.end()
  }
  log(`inbox: ${count} fuzzed records between good ones, ${((performance.now() - begun) / 1000).toFixed(1)} s`)
  return wrongs.map(wrong => `inbox: ${wrong}\n  again: seed ${seed}, ${count} records`)
}
