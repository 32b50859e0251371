import { matchWhole } from '@steadfast/dev-services'
import t from 'tap'
import { seedDelivery, seedEvent } from '../../store/test/seed.ts'
import type { Presented, Right } from '../src/index.ts'
import { build } from './build.ts'

const SECRET = 'Ann Example'
const HEADERS = { 'x-name': SECRET }

/** An event and a delivery with a secret in each place where a sender may write one. */
async function seeded(...[t, options, log]: [Parameters<typeof build>[0], Parameters<typeof build>[1], string[]?]) {
  const service = await build(t, { source: 'deploy', ...options }, () => {}, log)
  const { pool } = service
  const id = await seedEvent(pool, { payload: JSON.stringify({ name: SECRET }), headers: HEADERS, last_error: 'told' })
  const held = await seedDelivery(pool, {
    state: 'HELD',
    body: Buffer.from(JSON.stringify({ name: SECRET })),
    envelope: { id, source: 'market', headers: HEADERS },
    error: { message: 'told' }
  })
  return { ...service, id, held, views: async () => (await service.get('/audit?action=view')).body.items }
}

t.test('without the right to payloads a story has none: no payload, no body, no headers', async t => {
  let answer: (right: Right) => unknown = right => right !== 'payload'
  const { app, id, held, views } = await seeded(t, { authorize: (_, right) => answer(right) as boolean })
  const look = async () => {
    for (const path of [`/events/${id}`, `/inbox/deploy/${held}`, '/events', '/inbox', `/audit?eventId=${id}`]) {
      const response = await app.inject(`/reconciliation${path}`)
      t.equal(response.statusCode, 200, path)
      t.notMatch(response.body, SECRET, path)
      if (!path.includes('?') && path.split('/').length > 2) t.match(response.body, 'told', 'error texts stay')
    }
  }
  await look()
  for (const no of [false, undefined, {}, { actor: '' }]) {
    answer = right => (right === 'payload' ? no : true)
    await look()
  }
  answer = right => {
    if (right === 'payload') throw Object.assign(new Error('no'), { statusCode: 403 })
    return true
  }
  await look()
  const event = (await app.inject(`/reconciliation/events/${id}`)).json().event
  t.match(event, { payloadHidden: true, id })
  t.notOk('payload' in event || 'headers' in event)
  const { delivery } = (await app.inject(`/reconciliation/inbox/deploy/${held}`)).json()
  t.match(delivery, { payloadHidden: true, envelope: { source: 'market' } })
  t.notOk('body' in delivery || 'headers' in delivery.envelope)
  t.same(await views(), [])
  answer = right => {
    if (right === 'payload') throw new Error('the provider is away')
    return true
  }
  t.equal((await app.inject(`/reconciliation/events/${id}`)).statusCode, 500, 'a fault is no answer')
})

t.test('with it they are shown, and the audit says to whom; by one question more', async t => {
  const asked: string[] = []
  const { app, get, id, held, views } = await seeded(t, {
    authorize(request, right) {
      asked.push(`${request.method} ${right}`)
      return { actor: 'ann' }
    }
  })
  const { event, audit } = (await get(`/events/${id}`)).body
  t.match(event, { payload: JSON.stringify({ name: SECRET }), headers: HEADERS, payloadHidden: false, erasedAt: null })
  t.same(audit, [], 'deeds only')
  const { delivery } = (await get(`/inbox/deploy/${held}`)).body
  t.match(delivery, {
    body: { encoding: 'utf8', data: JSON.stringify({ name: SECRET }) },
    envelope: { headers: HEADERS },
    payloadHidden: false
  })
  t.same(asked, ['GET read', 'GET payload', 'GET read', 'GET payload'])
  asked.length = 0
  for (const path of [`/events/${id}`, `/inbox/deploy/${held}`])
    t.equal((await app.inject({ method: 'HEAD', url: `/reconciliation${path}` })).statusCode, 200)
  await get('/events')
  t.same(asked, ['HEAD read', 'HEAD read', 'GET read'])
  matchWhole(t, await views(), [
    { actor: 'ann', eventId: held, consumer: 'deploy' },
    { actor: 'ann', eventId: id, consumer: null }
  ])
})

t.test('what cannot be noted is not shown', async t => {
  const { app, pool, id, held } = await seeded(t, {})
  await pool.query('alter table steadfast.audit add constraint no check (false)')
  for (const path of [`/events/${id}`, `/inbox/deploy/${held}`]) {
    const response = await app.inject(`/reconciliation${path}`)
    t.equal(response.statusCode, 500)
    t.notMatch(response.body, SECRET)
  }
})

t.test('present makes of a payload what leaves; where it fails nothing does', async t => {
  const log: string[] = []
  const rows: Presented[] = []
  let present: (row: Presented) => unknown = row => row.payload.replace(SECRET, '***')
  const { app, get, pool, id, held, views } = await seeded(
    t,
    {
      present(row) {
        rows.push(row)
        return present(row) as string
      }
    },
    log
  )
  const masked = JSON.stringify({ name: '***' })
  const event = (await get(`/events/${id}`)).body.event
  t.match(event, { payload: masked, payloadHidden: false })
  const { delivery } = (await get(`/inbox/deploy/${held}`)).body
  t.match(delivery, { body: { encoding: 'utf8', data: masked }, payloadHidden: false })
  t.notOk('headers' in event || 'headers' in delivery.envelope, 'headers are not looked through')
  const payload = JSON.stringify({ name: SECRET })
  t.same(rows, [
    { from: 'event', id, source: 'market', type: 'market.asked', key: 'k', payload },
    { from: 'inbox', id: held, source: 'market', type: 'market.asked', key: 'k', payload }
  ])
  t.same(log, [])
  t.equal((await views()).length, 2)

  const hidden = async (what: string, lines: number) => {
    log.length = 0
    for (const path of [`/events/${id}`, `/inbox/deploy/${held}`]) {
      const response = await app.inject(`/reconciliation${path}`)
      t.equal(response.statusCode, 200, what)
      t.match(response.body, '"payloadHidden":true', what)
      t.notMatch(response.body, SECRET, what)
    }
    t.equal(log.length, lines, what)
    for (const line of log)
      t.match(JSON.parse(line), { level: 50, code: 'SF_RECONCILIATION_PRESENT_FAILED', id: /^[-0-9a-f]{36}$/ }, what)
    t.notMatch(log.join(''), SECRET, what)
  }
  for (const [what, wrong] of Object.entries({
    throws: ({ payload }: Presented) => {
      throw new Error(payload)
    },
    rejects: async ({ payload }: Presented) => {
      throw new Error(payload)
    },
    'a promise': async ({ payload }: Presented) => payload,
    nothing: () => undefined,
    'an object': ({ payload }: Presented) => ({ payload }),
    'too long': () => 'a'.repeat(10_100)
  })) {
    present = wrong
    await hidden(what, 2)
  }
  present = () => null
  await hidden('null', 0)
  present = ({ payload }) => payload
  await pool.query(`update steadfast.inbox set body = '\\xff00'`)
  t.match((await get(`/inbox/deploy/${held}`)).body.delivery, { payloadHidden: true }, 'no text to look through')
})
