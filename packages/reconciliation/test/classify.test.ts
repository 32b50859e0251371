import t from 'tap'
import { actionsFor, type Class, classify } from '../src/classify.ts'

const now = new Date('2026-01-01T12:00:00Z')
const past = new Date('2026-01-01T11:59:00Z')
const soon = new Date('2026-01-01T12:01:00Z')
const FATES = ['absent', 'at-work', 'done', 'refused', 'held'] as const
type Row = Parameters<typeof classify>[0]

t.test('every pair of a row here and a fate there', async t => {
  const flying = Array<Class>(5).fill('in-flight')
  const cases: [Row, Class[]][] = [
    [{ status: 'NEW', due: true, deadline: null }, flying],
    [{ status: 'PUBLISHED', due: true, deadline: past }, flying],
    [{ status: 'PARKED', due: true, deadline: null }, flying],
    [{ status: 'PUBLISHED', due: false, deadline: soon }, flying],
    [{ status: 'PUBLISHED', due: false, deadline: new Date(now.getTime() - 9999) }, flying],
    [
      { status: 'PUBLISHED', due: false, deadline: past },
      ['never-arrived', 'in-flight', 'done-there', 'refused-there', 'held-there']
    ],
    [
      { status: 'PARKED', due: false, deadline: soon },
      ['never-arrived', 'at-work-there', 'done-there', 'refused-there', 'held-there']
    ],
    [
      { status: 'CONFIRMED', due: false, deadline: past },
      ['confirmed-without-effect', 'agreeing', 'agreeing', 'confirmed-without-effect', 'confirmed-without-effect']
    ],
    [{ status: 'RESOLVED', due: false, deadline: past }, Array<Class>(5).fill('agreeing')]
  ]
  for (const [row, expected] of cases)
    t.same(
      FATES.map(fate => classify(row, fate, { now, settleMs: 10_000 })),
      expected,
      JSON.stringify(row)
    )
})

t.test('the fitting actions', async t => {
  const places = { here: 'market', consumerHere: 'market', there: 'deploy', consumerThere: 'deploy/x' }
  const parked = { id: 'E', status: 'PARKED', parkReason: 'UNCONFIRMED', confirmedBy: null } as const
  const words = (name: Class, event: Parameters<typeof actionsFor>[1] = parked) =>
    actionsFor(name, event, places).map(a => `${a.at} ${a.path}`)
  t.same(words('never-arrived'), ['market /events/E/resend', 'market /events/E/resolve'])
  t.same(words('never-arrived', { ...parked, status: 'PUBLISHED' }), ['market /events/E/resend'])
  t.same(words('done-there'), ['market /events/E/resend', 'market /events/E/resolve'])
  t.same(words('done-there', { ...parked, parkReason: 'ANSWER_HELD', confirmedBy: 'A' }), [
    'market /inbox/market/A/reprocess',
    'market /events/E/resolve'
  ])
  t.same(words('refused-there'), ['deploy /inbox/deploy%2Fx/E/reprocess', 'market /events/E/resolve'])
  t.same(words('held-there'), ['deploy /inbox/deploy%2Fx/E/reprocess', 'deploy /inbox/deploy%2Fx/E/release'])
  for (const name of [
    'agreeing',
    'in-flight',
    'at-work-there',
    'confirmed-without-effect',
    'effect-without-event'
  ] as const)
    t.same(words(name), [])
})
