import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t, { type Test } from 'tap'
import { idFrom, seedEvent } from '../../store/test/seed.ts'
import type { RefusedMessage } from '../src/index.ts'
import { build } from './build.ts'

function published(t: Test): RefusedMessage[] {
  const seen: RefusedMessage[] = []
  const listener = (message: unknown) => void seen.push(message as RefusedMessage)
  subscribe('steadfast:reconciliation:refused', listener)
  t.teardown(() => unsubscribe('steadfast:reconciliation:refused', listener))
  return seen
}

const parsed = (log: string[]) => log.map(line => JSON.parse(line))

t.test('what the guard refuses is counted, logged and published, with right, route and address', async t => {
  const seen = published(t)
  const log: string[] = []
  const { app, get, post, pool } = await build(
    t,
    {
      async authorize(request, right) {
        if (request.headers['x-user'] === undefined)
          throw Object.assign(new Error('who?'), { statusCode: 401, code: 'WHO' })
        if (right === 'resolve') throw new Error('the provider is away')
        return right === 'read'
      }
    },
    () => {},
    log
  )
  const id = await seedEvent(pool)
  const ann = { 'x-user': 'ann' }
  t.equal((await get('/events?search=secret')).status, 401)
  t.equal((await post(`/events/${id}/resend`, { note: 'secret' }, ann)).status, 403)
  t.equal((await post('/events/bulk', { action: 'resend', filter: { key: 'secret' }, note: 'n' }, ann)).status, 403)
  t.equal((await post('/fates', {}, { ...ann, 'sec-fetch-site': 'cross-site' })).status, 403)
  const attempt = { ip: '127.0.0.1' }
  const expected = [
    { ...attempt, right: 'read', method: 'GET', route: '/reconciliation/events', status: 401, code: 'WHO' },
    {
      ...attempt,
      right: 'resend',
      method: 'POST',
      route: '/reconciliation/events/:id/resend',
      status: 403,
      code: 'SF_RECONCILIATION_FORBIDDEN'
    },
    {
      ...attempt,
      right: 'resend',
      method: 'POST',
      route: '/reconciliation/events/bulk',
      status: 403,
      code: 'SF_RECONCILIATION_FORBIDDEN'
    },
    {
      ...attempt,
      right: 'fates',
      method: 'POST',
      route: '/reconciliation/fates',
      status: 403,
      code: 'SF_RECONCILIATION_FORBIDDEN'
    }
  ]
  t.same(seen, expected)
  t.same(
    parsed(log).map(({ right, method, route, ip, status, code }) => ({ right, method, route, ip, status, code })),
    expected
  )
  t.same([...new Set(parsed(log).map(({ level, msg }) => `${level} ${msg}`))], ['40 refused'])
  t.notMatch(log.join(''), 'secret')

  // What is no refusal: an answer without data, a fault of the authorizer, a request that is wrong.
  t.match((await get(`/events/${id}`, ann)).body, { event: { payloadHidden: true } })
  t.equal((await post(`/events/${id}/resolve`, { note: 'n' }, ann)).status, 500)
  t.equal((await get('/events?limit=0', ann)).status, 400)
  t.equal((await app.inject('/reconciliation/nowhere')).statusCode, 404)
  t.equal(seen.length, 4)
  t.match((await get('/counts', ann)).body, { refusedAttempts: 4 })
})

t.test('a request of another site, and a plugin without an authorizer, leave a trace too', async t => {
  const seen = published(t)
  const { post } = await build(t)
  t.equal((await post('/fates', {}, { 'sec-fetch-site': 'cross-site' })).status, 403)
  const closed = await build(t, { authorize: undefined } as never)
  t.equal((await closed.get('/events')).status, 403)
  t.same(
    seen.map(({ code }) => code),
    ['SF_RECONCILIATION_CROSS_SITE', 'SF_RECONCILIATION_CLOSED']
  )
})

t.test('whoever asks, and from wherever: ten lines a minute, and every one counted', async t => {
  const seen = published(t)
  const log: string[] = []
  const { app, get } = await build(
    t,
    { authorize: (request, right) => request.headers['x-user'] === 'ann' && right === 'read' },
    () => {},
    log
  )
  for (let i = 0; i < 40; i++)
    await app.inject({ url: `/reconciliation/events/${idFrom(0)}`, remoteAddress: `10.0.0.${i}` })
  t.equal(log.length, 10)
  t.equal(seen.length, 40)
  t.equal(seen[39]?.ip, '10.0.0.39')
  t.match((await get('/counts', { 'x-user': 'ann' })).body, { refusedAttempts: 40 })
})
