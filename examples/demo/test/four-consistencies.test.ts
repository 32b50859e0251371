import { until } from '@steadfast/dev-services'
import t from 'tap'
import { deleteAnswers } from '../delete-answers.ts'
import { startTestLoop, type TestLoop } from './helper.ts'

// a busy machine takes its time
t.setTimeout(240_000)

// The four consistencies that the story of market and deploy asks for; one test and one injected fault for each.

let loop: TestLoop
t.before(async () => {
  loop = await startTestLoop(t)
})

const count = async (database: 'market' | 'deploy', text: string, values: unknown[] = []): Promise<number> =>
  (await loop.ledgers[database].query(`select count(*)::int as n ${text}`, values)).rows[0].n

t.test('local transaction: the business row and the event row are there together or not at all', async t => {
  const { market } = loop
  const crash = loop.crashAt(market, 'steadfast:outbox:before-commit')
  const ordered = loop.order()
  await crash.crashed()
  await until(
    async () =>
      (await count('market', 'from pg_stat_activity where datname = current_database() and xact_start < now()')) === 0
  )
  t.strictSame(
    [await count('market', 'from orders'), await count('market', 'from steadfast.event')],
    [0, 0],
    'died with both written and COMMIT not sent: neither'
  )
  const id = await ordered
  t.strictSame(
    [
      await count('market', 'from orders where id = $1', [id]),
      await count('market', 'from steadfast.event where key = $1', [id])
    ],
    [1, 1],
    'the repeated request: both'
  )
  t.match(await loop.finished(id), { status: 'READY' })
})

t.test('timer: an event row becomes a message, although nobody was left to send it', async t => {
  const { market } = loop
  const crash = loop.crashAt(market, 'steadfast:outbox:after-commit')
  const ordered = loop.order()
  await crash.crashed()
  t.equal(await count('market', `from orders where status = 'PLACED'`), 1, 'committed; its customer heard nothing')
  const id = await ordered
  t.match(await loop.finished(id), { status: 'READY' }, 'the next market found the row and sent it')
  t.equal(await count('market', 'from orders where id = $1', [id]), 1)
  t.equal(await count('deploy', 'from deployment where order_id = $1', [id]), 1)
})

t.test(
  'broker: a message is consumed, although its consumer died with the work done and the offset not stored',
  async t => {
    const { deploy } = loop
    const crash = loop.crashAt(deploy, 'steadfast:inbox:after-commit')
    const id = await loop.order()
    await crash.crashed()
    t.equal(await count('deploy', 'from deployment where order_id = $1', [id]), 1, 'accepted before the crash')
    t.match(await loop.finished(id), { status: 'READY' })
    t.equal(
      await count('deploy', 'from deployment where order_id = $1', [id]),
      1,
      'the second delivery changed nothing'
    )
  }
)

t.test(
  'compensation and idempotence: an answer that the broker lost comes again, and the work is not done again',
  async t => {
    const { market, ledgers } = loop
    const id = await loop.order({ product: 'sleeper', plan: 'simulated', parameters: { durationMs: 1000 } })
    await until(() => count('deploy', 'from deployment where order_id = $1', [id]), { what: 'the request to arrive' })
    await market.kill9({ hold: true })
    const answered = () => count('deploy', 'from steadfast.event where is_answer and not due and key = $1', [id])
    await until(answered, { what: 'the answer to be published while market is down' })
    t.ok((await deleteAnswers(loop.choice.transport, loop.broker.address)) > 0, 'deleted from the log, unread')
    market.start()
    t.match(await loop.finished(id), { status: 'READY' })
    const { rows } = await ledgers.market.query('select count, status from steadfast.event where key = $1', [id])
    t.equal(rows[0].status, 'CONFIRMED')
    t.ok(rows[0].count >= 2, 'the request was sent again')
    const answers = await ledgers.deploy.query('select count from steadfast.event where is_answer and key = $1', [id])
    t.equal(answers.rowCount, 1, 'one answer, under one id')
    t.ok(answers.rows[0].count >= 2, 'its stored answer was sent again')
    t.equal(await count('deploy', 'from deployment where order_id = $1', [id]), 1, 'one deployment')
  }
)

t.test('after all four, everything is settled and nothing doubled', async t => {
  t.match(await loop.settled(), {
    accepted: 4,
    deployed: 4,
    confirmed: 4,
    failed: 0,
    parked: 0,
    duplicateDeployments: 0
  })
})
