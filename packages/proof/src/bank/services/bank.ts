import idempotencyKey from '@steadfast/idempotency-key'
import type { RequestTransaction } from '@steadfast/outbox'
import { type Static, Type } from 'typebox'
import { connect, env } from './connect.ts'
import { CheckFailed, CheckPassed, CheckRequested } from './contracts.ts'

// A payment is debited at once, asked after at the fraud check, and paid, or credited back.

const app = await connect(
  { source: 'bank', contracts: [CheckRequested] },
  `create table if not exists account (id integer primary key, balance bigint not null check (balance >= 0));
   insert into account select n, 1000000 from generate_series(1, 5) n on conflict do nothing;
   create table if not exists payment (id uuid primary key, account_id integer not null references account, amount bigint not null,
     course text not null, state text not null default 'CHECKING', told text);
   create table if not exists entry (n bigint generated always as identity, payment_id uuid not null references payment,
     amount bigint not null, why text not null)`
)
await app.register(idempotencyKey, { principal: 'shared' })

type Tx = Pick<RequestTransaction, 'query'>

/** Moves money between an account and a payment, in both ledgers. */
async function move(tx: Tx, paymentId: string, sign: 1 | -1, why: string): Promise<void> {
  const { rowCount } = await tx.query(
    `with moved as (update account a set balance = balance + $2 * p.amount from payment p where p.id = $1 and a.id = p.account_id
       returning $2 * p.amount as amount)
     insert into entry (payment_id, amount, why) select $1, amount, $3 from moved`,
    [paymentId, sign, why]
  )
  if (rowCount !== 1) throw new Error(`payment ${paymentId} has no account`)
}

/** True when the payment was in this state, and now is in that. */
async function change(tx: Tx, paymentId: string, from: string, to: string, told: string): Promise<boolean> {
  const text = 'update payment set state = $3, told = $4 where id = $1 and state = $2'
  return (await tx.query(text, [paymentId, from, to, told])).rowCount === 1
}

const Order = Type.Object({
  paymentId: Type.String({ format: 'uuid' }),
  accountId: Type.Integer(),
  amount: Type.Integer({ minimum: 1, maximum: 1000 }),
  course: Type.String()
})

app.post<{ Body: Static<typeof Order> }>(
  '/payments',
  { transaction: true, idempotencyKey: true, schema: { body: Order } },
  async (request, reply) => {
    const { paymentId, accountId, amount, course } = request.body
    const text = 'insert into payment (id, account_id, amount, course) values ($1, $2, $3, $4)'
    await request.tx.query(text, [paymentId, accountId, amount, course])
    await move(request.tx, paymentId, -1, 'ordered')
    await reply.sendEvent(CheckRequested, { paymentId, amount, course })
    return reply.code(202).send({ paymentId })
  }
)

app.onEvent(CheckPassed, async request => {
  const { paymentId } = request.body
  if (await change(request.tx, paymentId, 'CHECKING', 'PAID', 'paid')) return
  // It was given up and credited back; the customer still wants to pay.
  if (request.event.afterUnanswered && (await change(request.tx, paymentId, 'RETURNED', 'PAID', 'paid after all')))
    return await move(request.tx, paymentId, -1, 'passed late')
  throw new Error(`payment ${paymentId} cannot be paid`)
})

app.onEvent(CheckFailed, async request => {
  const { paymentId, reason } = request.body
  if (await change(request.tx, paymentId, 'CHECKING', 'REFUSED', reason))
    return await move(request.tx, paymentId, 1, 'failed')
  if (request.event.afterUnanswered && (await change(request.tx, paymentId, 'RETURNED', 'REFUSED', reason))) return
  throw new Error(`payment ${paymentId} cannot be refused`)
})

app.onUnanswered(CheckRequested, async request => {
  const { paymentId } = request.body
  const { reason } = request.event.unanswered
  if (await change(request.tx, paymentId, 'CHECKING', 'RETURNED', reason)) await move(request.tx, paymentId, 1, reason)
})

await app.listen({ port: Number(env('PORT')), host: '127.0.0.1' })
