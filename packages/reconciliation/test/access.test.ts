import t from 'tap'
import { idFrom } from '../../store/test/seed.ts'
import type { ReconciliationOptions } from '../src/index.ts'
import { build, type Service } from './build.ts'

const id = idFrom(0)
// A good request to each route, so that nothing but the guard can be in its way.
const GOOD: Record<string, object> = {
  '/events/:id/resolve': { note: 'n' },
  '/events/bulk': { action: 'resolve', filter: { key: 'k' }, note: 'n' },
  '/inbox/:consumer/:id/release': { note: 'n' },
  '/inbox/bulk': { action: 'reprocess', filter: { key: 'k' }, note: 'n' },
  '/fates': { ids: [id] },
  '/replays': { from: '2026-01-01T00:00:00Z', note: 'n' },
  '/erasures': { key: 'k', note: 'n' }
}

async function callAll(service: Service, strip = false) {
  const answers = []
  for (const { method, url } of service.routes) {
    const path = url.replace(':id', id).replace(':consumer', 'market')
    const query = /received$/.test(url)
      ? '?source=a&since=2026-01-01T00:00:00Z'
      : /compare$/.test(url)
        ? '?peer=a&since=2026-01-01T00:00:00Z'
        : ''
    const payload = GOOD[url.replace('/reconciliation', '')] ?? {}
    const response = await service.app.inject({
      method: method as 'GET',
      url: `${path}${query}`,
      ...(method === 'POST' && !strip ? { payload, headers: { 'content-type': 'application/json' } } : {})
    })
    answers.push({
      route: `${method} ${url}`,
      status: response.statusCode,
      code: method === 'HEAD' ? undefined : response.json().code,
      headers: response.headers
    })
  }
  return answers
}

t.test('every route is closed without an authorizer, whatever is sent', async t => {
  const service = await build(t, { authorize: undefined } as unknown as ReconciliationOptions)
  for (const strip of [false, true]) {
    const answers = await callAll(service, strip)
    t.equal(answers.length, 34, 'HEAD routes included')
    t.same(
      answers.filter(a => a.status !== 403 || a.headers['cache-control'] !== 'no-store'),
      []
    )
    t.same([...new Set(answers.map(a => a.code))].toSorted(), ['SF_RECONCILIATION_CLOSED', undefined])
  }
})

t.test('every route is closed when the authorizer says no, or nothing, or nobody, or asks for credentials', async t => {
  let verdict: unknown
  const service = await build(t, {
    async authorize() {
      if (verdict === 'who?') throw Object.assign(new Error('who are you?'), { statusCode: 401 })
      return verdict as boolean
    }
  })
  for (verdict of [false, undefined, null, 0, 'yes', {}, { actor: '' }, { actor: 7 }, 'who?']) {
    const expected = verdict === 'who?' ? 401 : 403
    const answers = await callAll(service)
    t.same(
      answers.filter(a => a.status !== expected).map(a => a.route),
      [],
      JSON.stringify(verdict)
    )
  }
})

t.test('with a right for each: no route is closed, and each asks for its own right', async t => {
  const asked = new Map<string, Set<string>>()
  const service = await build(t, {
    authorize(request, right) {
      const route = `${request.method} ${request.routeOptions.url?.replace('/reconciliation', '')}`
      asked.set(route, (asked.get(route) ?? new Set()).add(right))
      return true
    }
  })
  const answers = await callAll(service)
  t.same(
    answers.filter(a => a.status === 401 || a.status === 403).map(a => a.route),
    []
  )
  const rights = Object.fromEntries(
    [...asked].filter(([route]) => !route.startsWith('HEAD')).map(([route, r]) => [route, [...r].join()])
  )
  t.same(rights, {
    'GET /events': 'read',
    'GET /events/:id': 'read,payload',
    'GET /counts': 'read',
    'POST /events/:id/resend': 'resend',
    'POST /events/:id/resolve': 'resolve',
    'GET /inbox': 'read',
    'GET /inbox/lag': 'read',
    'GET /inbox/:consumer/:id': 'read,payload',
    'POST /inbox/:consumer/:id/reprocess': 'reprocess',
    'POST /inbox/:consumer/:id/release': 'release',
    'POST /events/bulk': 'read,resolve',
    'POST /inbox/bulk': 'read,reprocess',
    'POST /fates': 'fates',
    'GET /received': 'fates',
    'GET /compare': 'read',
    'POST /replays': 'replay',
    'GET /replays': 'read',
    'GET /replays/:id': 'read',
    'GET /replays/:id/items': 'read',
    'POST /replays/:id/stop': 'replay',
    'GET /audit': 'read',
    'POST /erasures': 'erase'
  })
})

t.test('bulk asks for the right of its action', async t => {
  const service = await build(t, { authorize: (_, right) => right === 'read' || right === 'resend' })
  const body = { filter: { key: 'k' }, note: 'n' }
  t.match(await service.post('/events/bulk', { ...body, action: 'resend' }), { status: 200 })
  t.match(await service.post('/events/bulk', { ...body, action: 'resolve' }), {
    status: 403,
    body: { code: 'SF_RECONCILIATION_FORBIDDEN' }
  })
})

t.test('what a browser may be made to send is refused', async t => {
  const { app, routes, post } = await build(t)
  for (const { url } of routes.filter(r => r.method === 'POST')) {
    const path = url.replace(':id', id).replace(':consumer', 'market')
    const send = (payload: string, headers: Record<string, string>) =>
      app.inject({ method: 'POST', url: path, payload, headers })
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'application/jsonp',
      ''
    ]) {
      const response = await send('{}', type === '' ? {} : { 'content-type': type })
      t.match(response.json(), { statusCode: 415, code: 'SF_RECONCILIATION_NOT_JSON' }, `${url} ${type}`)
    }
    const cross = await send('{}', { 'content-type': 'application/json', 'sec-fetch-site': 'cross-site' })
    t.match(cross.json(), { statusCode: 403, code: 'SF_RECONCILIATION_CROSS_SITE' }, url)
  }
  t.match(
    await post(
      '/fates',
      { ids: [id] },
      { 'content-type': 'application/json; charset=utf-8', 'sec-fetch-site': 'same-origin' }
    ),
    { status: 200 }
  )
})

t.test('its hooks touch no other route', async t => {
  const { app } = await build(t, { authorize: () => false }, server => {
    server.post('/other', async () => 'ok')
  })
  const response = await app.inject({
    method: 'POST',
    url: '/other',
    payload: 'x',
    headers: { 'content-type': 'text/plain' }
  })
  t.match(response, { statusCode: 200, body: 'ok' })
  t.equal(response.headers['cache-control'], undefined)
})
