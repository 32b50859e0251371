import { connect, env } from './connect.ts'
import { CheckFailed, CheckPassed, CheckRequested } from './contracts.ts'

// Checks payments: at once, later, or never.

const app = await connect(
  { source: 'fraud', contracts: [CheckPassed, CheckFailed] },
  `create table if not exists checked (payment_id uuid primary key, course text not null);
   create table if not exists late (event_id uuid primary key, payment_id uuid not null, course text not null, due_at timestamptz not null)`
)

app.onEvent(CheckRequested, async (request, reply) => {
  const { paymentId, course } = request.body
  await request.tx.query('insert into checked values ($1, $2)', [paymentId, course])
  if (course === 'pass') await reply.sendEvent(CheckPassed, { paymentId })
  if (course === 'fail') await reply.sendEvent(CheckFailed, { paymentId, reason: 'it looks odd' })
  if (course === 'verdict') return reply.code(422).send({ message: 'no such account over there' })
  if (course.startsWith('late')) {
    const text = `insert into late values ($1, $2, $3, clock_timestamp() + '8 s')`
    await request.tx.query(text, [request.event.id, paymentId, course])
  }
  return reply.code(202).send()
})

const look = () =>
  app.outbox.transaction(async tx => {
    const { rows } = await tx.query<{ event_id: string; payment_id: string; course: string }>(
      'delete from late where due_at < clock_timestamp() returning event_id, payment_id, course'
    )
    for (const { event_id: inReplyTo, payment_id: paymentId, course } of rows)
      if (course === 'late-pass') await tx.sendEvent(CheckPassed, { paymentId }, { inReplyTo })
      else await tx.sendEvent(CheckFailed, { paymentId, reason: 'it took a while to see' }, { inReplyTo })
  })

let timer: NodeJS.Timeout | undefined
app.addHook('onReady', async () => {
  timer = setInterval(() => void look().catch(err => app.log.warn({ err }, 'late answers')), 200)
})
app.addHook('preClose', async () => clearInterval(timer))
await app.listen({ port: Number(env('PORT')), host: '127.0.0.1' })
