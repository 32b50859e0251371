import t from 'tap'
import { seedEvent } from '../../store/test/seed.ts'
import { build } from './build.ts'

// A title of a test must be one line of plain text.
const plain = (text: string) => text.replaceAll(/[^ -~]/g, c => `\\u${c.charCodeAt(0).toString(16)}`)

t.test('an actor that the audit could not tell from another, or from the machine, does nothing', async t => {
  const log: string[] = []
  let actor = ''
  const { pool, post, get } = await build(t, { authorize: () => ({ actor }) }, () => {}, log)
  const id = await seedEvent(pool, { status: 'PARKED', due: false })
  for (actor of [
    'steadfast',
    ' Steadfast\u2003',
    'STEADFAST',
    'stead\u200bfast',
    '\uff53teadfast',
    'ann\nbob',
    'ann\u0000',
    'ann\u001b[2J',
    'ann\u0085',
    'ann\u2028bob',
    'half \ud83d',
    '  ',
    '\u200b',
    'a'.repeat(201)
  ]) {
    log.length = 0
    const what = plain(actor)
    for (const answer of [await post(`/events/${id}/resend`), await get('/events')])
      t.match(answer, { status: 500, body: { code: 'SF_RECONCILIATION_ACTOR_INVALID' } }, what)
    const lines = log.map(line => JSON.parse(line)).filter(({ right }) => right !== undefined)
    t.same(
      lines.map(({ level, code, right }) => ({ level, code, right })),
      [
        { level: 50, code: 'SF_RECONCILIATION_ACTOR_INVALID', right: 'resend' },
        { level: 50, code: 'SF_RECONCILIATION_ACTOR_INVALID', right: 'read' }
      ],
      what
    )
  }
  t.equal((await pool.query('select from steadfast.audit')).rowCount, 0)
  t.equal((await pool.query('select from steadfast.event where due')).rowCount, 0)

  for (actor of ['a', 'steadfast-operator', 'Zoë 🦊', 'ann@example.org', 'a'.repeat(200), '🦊'.repeat(200)]) {
    t.equal((await get('/events')).status, 200, plain(actor))
    await pool.query('update steadfast.event set due = false')
    t.equal((await post(`/events/${id}/resend`)).status, 200, plain(actor))
    t.equal((await get('/audit?limit=1')).body.items[0].actor, actor)
  }
})

t.test('asked for the payload, it must name an actor as well', async t => {
  const { pool, get } = await build(t, { authorize: (_, right) => right === 'read' || { actor: 'steadfast' } })
  const id = await seedEvent(pool)
  t.match(await get(`/events/${id}`), { status: 500, body: { code: 'SF_RECONCILIATION_ACTOR_INVALID' } })
})
