// Bursts of deliveries that can never be handled, and what becomes of them and of the others.
import { until } from '@steadfast/dev-services'
import { defineEvent } from '@steadfast/events'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { Type } from 'typebox'
import { memoryBroker } from '../../events/test/memory-transport.ts'
import { deliveryOf } from '../src/testing.ts'
import { build, effects, insertEffect, memory, Note, publish, TASKS } from './helper.ts'

export const Order = defineEvent({
  type: 'shop.order',
  topic: TASKS,
  key: d => d.id,
  data: Type.Object({ id: Type.String(), n: Type.Integer(), text: Type.String() })
})
const GOOD = 20

/** What the handler does with what it cannot handle. */
export const BUGS: Record<string, (tx: Parameters<typeof insertEffect>[0], text: string) => Promise<unknown>> = {
  'a statement that fails (22021)': async (tx, text) =>
    await tx.query('insert into effect (id, n) values ($1, 0)', [text]),
  'a TypeError': async (_, text) => {
    if (text.includes('\u0000')) (undefined as unknown as { call(): void }).call()
  }
}

export const INBOX = {
  retryPollMs: 20,
  pauseMs: 10,
  pauseMaxMs: 40,
  retry: { quickRetries: 1, quickRetryDelayMs: 1, delaysMs: [1] }
}

export function declare(app: FastifyInstance, bug: string): void {
  app.onEvent(Order, async request => {
    const { text } = request.body
    if (text !== '') await BUGS[bug]?.(request.tx, text)
    await insertEffect(request.tx, request.body)
  })
  app.onEvent(Note, async request => void (await insertEffect(request.tx, request.body)))
}

/** Of what the outbox would not take, so that it is put on the wire by itself. */
export const order = (n: number, text: string) => {
  const id = `o${n}`
  return deliveryOf(Order, { id, n, text: '' }, { raw: Buffer.from(JSON.stringify({ id, n, text })) })
}

export async function count(pool: { query(text: string): Promise<{ rows: { state: string; n: number }[] }> }) {
  const { rows } = await pool.query(
    `select state, count(*)::int as n from steadfast.inbox group by state order by state`
  )
  return Object.fromEntries(rows.map(({ state, n }) => [state, n]))
}

export async function burst(
  t: Test,
  { bug, poison, maxInFlight }: { bug: string; poison: number; maxInFlight: number }
) {
  const broker = memoryBroker()
  const options = { transport: memory(broker), inbox: { ...INBOX, maxInFlight } }
  const { app, pool } = await build(t, app => declare(app, bug), options)
  await publish(
    app,
    Array.from({ length: poison }, (_, n) => order(-n, 'a\u0000b'))
  )
  await publish(app, [
    ...Array.from({ length: GOOD }, (_, n) => order(n + 1, '')),
    ...Array.from({ length: GOOD }, (_, n) => deliveryOf(Note, { id: `n${n}`, n: 100 + n }))
  ])
  await until(async () => (await effects(pool)).length === 2 * GOOD, { timeoutMs: 60_000, what: 'the good ones' })
  await until(async () => (await count(pool)).HELD === poison, { timeoutMs: 60_000, what: 'all poison is held' })
  t.same(await count(pool), { DONE: 2 * GOOD, HELD: poison })
  t.equal(await app.inbox.lag(), 0n)
  t.ok(app.inbox.health().ready)
}
