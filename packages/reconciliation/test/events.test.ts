import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { matchWhole, until } from '@steadfast/dev-services'
import t from 'tap'
import { Answered, idFrom, seedDelivery, seedEvent } from '../../store/test/seed.ts'
import type { ActionMessage } from '../src/index.ts'
import { build } from './build.ts'

const XSS = `<img src=x onerror=alert(1)>'"</script><script>alert(2)</script>`

t.test('list: filters, and pages that hold everything once while events are written', async t => {
  const { pool, get } = await build(t)
  const wanted: string[] = []
  for (let i = 0; i < 25; i++) wanted.push(await seedEvent(pool, { status: 'PARKED' }, { agoMs: 5000 + i }))
  await seedEvent(pool, { status: 'CONFIRMED' })
  let writing = true
  const writer = (async () => {
    while (writing) await seedEvent(pool, { status: 'PARKED' })
  })()
  const seen: string[] = []
  let next: string | null = ''
  const until = new Date(Date.now() - 3000).toISOString()
  while (next !== null) {
    const { status, body } = await get(
      `/events?status=PARKED&until=${until}&limit=7${next === '' ? '' : `&after=${next}`}`
    )
    t.equal(status, 200)
    seen.push(...body.items.map((e: { id: string }) => e.id))
    next = body.next
  }
  writing = false
  await writer
  t.same(seen, wanted.toSorted().reverse())
  matchWhole(t, await get('/events?status=PARKED&status=CONFIRMED&order=oldest&limit=1'), {
    status: 200,
    body: { items: [{ id: wanted.toSorted()[0] }] }
  })
  matchWhole(t, await get('/events?status=CONFIRMED'), {
    body: { items: [{ status: 'CONFIRMED', createdAt: /^\d{4}-.*Z$/, deadline: null }], next: null }
  })
})

t.test('what is not asked rightly is refused', async t => {
  const { get, post } = await build(t)
  for (const query of [
    'limit=0',
    'limit=201',
    'status=LOST',
    'after=1',
    'stauts=PARKED',
    'since=yesterday',
    'since=2026-13-01T00:00:00Z',
    'since=2016-12-31T23:59:60Z',
    'until=2016-12-31t23:59:60.5%2B00:00',
    'key=',
    'search=a%00b'
  ])
    t.match(await get(`/events?${query}`), { status: 400, body: { code: 'FST_ERR_VALIDATION' } }, query)
  t.match(await get('/events/1'), { status: 400 })
  t.match(await get(`/events/${idFrom(0)}`), { status: 404, body: { code: 'SF_RECONCILIATION_EVENT_UNKNOWN' } })
  t.match(await post(`/events/${idFrom(0)}/resolve`, {}), { status: 400 })
  t.match(await post(`/events/${idFrom(0)}/resend`, { noet: 'x' }), { status: 400 })
})

t.test('SQL metacharacters are only characters', async t => {
  const { pool, get } = await build(t)
  const key = `'; drop table steadfast.event; --%_\\"$1`
  const id = await seedEvent(pool, { key })
  await seedEvent(pool, { key: 'plain' })
  for (const search of [key, '%_', `'`, '\\"', '$1'])
    t.same(
      (await get(`/events?search=${encodeURIComponent(search)}`)).body.items.map((e: { id: string }) => e.id),
      [id],
      search
    )
  t.same((await get(`/events?type=${encodeURIComponent(`' or 1=1 --`)}`)).body.items, [])
  t.same((await get(`/inbox?consumer=${encodeURIComponent(key)}&search=${encodeURIComponent(key)}`)).body.items, [])
  t.same((await get(`/audit?actor=${encodeURIComponent(key)}`)).body.items, [])
  t.equal((await get('/events')).body.items.length, 2)
})

t.test('what cannot be sent is listed, with the reason and since when', async t => {
  const { pool, get } = await build(t)
  const at = '2030-01-01T00:00:00.000Z'
  const id = await seedEvent(pool, { last_error: 'no such topic', failing_since: at, topic_unavailable_since: at })
  await seedEvent(pool, { due: false })
  const { items } = (await get('/events?failing=true')).body
  t.equal(items.length, 1)
  t.match(items[0], { id, lastError: 'no such topic', failingSince: at, topicUnavailableSince: at })
  t.equal((await get('/events?failing=perhaps')).status, 400)
})

t.test('the story, with what is strange in it as plain JSON', async t => {
  const { pool, app, post } = await build(t)
  const answer = await seedDelivery(pool, { consumer: 'market', source: 'deploy' })
  const id = await seedEvent(pool, {
    status: 'PARKED',
    due: false,
    key: XSS,
    last_error: XSS,
    park_reason: 'UNCONFIRMED',
    confirmed_by: answer,
    payload: `{"n":12345678901234567890,"x":${JSON.stringify(XSS)}}`
  })
  await post(`/events/${id}/resend`, { note: XSS })
  const response = await app.inject(`/reconciliation/events/${id}`)
  t.equal(response.headers['content-type'], 'application/json; charset=utf-8')
  t.equal(response.headers['x-content-type-options'], 'nosniff')
  matchWhole(t, response.json(), {
    event: {
      id,
      key: XSS,
      lastError: XSS,
      payload: `{"n":12345678901234567890,"x":${JSON.stringify(XSS)}}`,
      headers: {}
    },
    answers: [{ eventId: answer }],
    causes: [],
    caused: [],
    audit: [{ action: 'resend', note: XSS, actor: 'ann' }],
    fate: null
  })
  const list = await app.inject('/reconciliation/events')
  t.notMatch(list.body, /12345678901234567890/, 'no payload in a list')
  t.equal(list.headers['content-type'], 'application/json; charset=utf-8')
})

t.test('the story asks the peer for the fate; a peer that is away is said to be, and no error', async t => {
  const deploy = await build(t, {
    source: 'deploy',
    authorize: (request, right) => right === 'fates' && request.headers['x-token'] === 'T'
  })
  const url = await deploy.app.listen({ port: 0, host: '127.0.0.1' })
  const { pool, get } = await build(t, {
    peers: {
      deploy: { url: `${url}/reconciliation/`, headers: () => ({ 'x-token': 'T' }) },
      stranger: { url: `${url}/reconciliation` },
      lost: { url: 'http://127.0.0.1:9/' }
    }
  })
  const id = await seedEvent(pool)
  await seedDelivery(deploy.pool, { event_id: id })
  const answer = await seedEvent(deploy.pool, {}, { contract: Answered, inReplyTo: id })
  matchWhole(t, (await get(`/events/${id}`)).body.fate, {
    peer: 'deploy',
    reachable: true,
    consumer: 'deploy',
    fate: { id, fate: 'done', answers: [{ id: answer }] }
  })
  const foreign = await seedEvent(pool, { awaits_from: 'stranger' })
  t.match(await get(`/events/${foreign}`), {
    status: 200,
    body: { fate: { reachable: false, error: { code: 'SF_RECONCILIATION_PEER_UNAVAILABLE', message: /answered 403/ } } }
  })
  const away = await seedEvent(pool, { awaits_from: 'lost' })
  t.match(await get(`/events/${away}`), {
    status: 200,
    body: { fate: { peer: 'lost', reachable: false, error: { code: 'SF_RECONCILIATION_PEER_UNAVAILABLE' } } }
  })
  const unnamed = await seedEvent(pool, { awaits_from: 'toString' })
  t.equal((await get(`/events/${unnamed}`)).body.fate, null)
})

t.test('a peer that hangs or talks nonsense is given up', async t => {
  const { pool, get, app } = await build(t, { peerTimeoutMs: 100, peers: { hung: { url: 'http://127.0.0.1:1' } } })
  await app.close()
  const strange = await build(t, { authorize: () => true }, server => {
    server.post('/hung/fates', () => new Promise(() => {}))
    server.post('/text/fates', async () => 'hello')
    server.post('/form/fates', async () => ({ consumer: 'x', fates: [{ id: 'y', fate: 'lost' }] }))
    server.post('/other/fates', async () => ({ consumer: 'x', fates: [] }))
    server.post('/moved/fates', async (_, reply) => reply.redirect('/form/fates', 307))
  })
  const base = await strange.app.listen({ port: 0, host: '127.0.0.1' })
  const names = ['hung', 'text', 'form', 'other', 'moved']
  const asking = await build(t, {
    peerTimeoutMs: 200,
    peers: Object.fromEntries(names.map(n => [n, { url: `${base}/${n}` }]))
  })
  for (const name of names) {
    const id = await seedEvent(asking.pool, { awaits_from: name })
    t.match(
      (await asking.get(`/events/${id}`)).body.fate,
      { peer: name, reachable: false, error: { code: 'SF_RECONCILIATION_PEER_UNAVAILABLE' } },
      name
    )
  }
  t.ok(pool && get)
  strange.app.server.closeAllConnections()
})

t.test('resend and resolve: one effect, one audit row, whoever comes at once', async t => {
  const woken: number[] = []
  const { pool, get, post } = await build(t, {}, app => app.decorate('relay', { wake: () => woken.push(1) } as never))
  const seen: ActionMessage[] = []
  const listener = (message: unknown) => seen.push(message as ActionMessage)
  subscribe('steadfast:reconciliation:action', listener)
  t.teardown(() => unsubscribe('steadfast:reconciliation:action', listener))

  const id = await seedEvent(pool, { status: 'PARKED', due: false, count: 6 })
  const resent = await Promise.all(
    ['ann', 'bob', 'cy'].map(user => post(`/events/${id}/resend`, {}, { 'x-user': user }))
  )
  t.same(resent.map(r => r.status).toSorted(), [200, 409, 409])
  t.match(resent.find(r => r.status === 409)?.body, {
    code: 'SF_RECONCILIATION_EVENT_UNFIT',
    message: /PARKED and due already/
  })
  t.match((await get(`/events/${id}`)).body, { event: { due: true, count: 6, status: 'PARKED' } })
  t.equal(woken.length, 1, 'the relay was woken')

  const resolved = await Promise.all(
    ['ann', 'bob', 'cy'].map(user => post(`/events/${id}/resolve`, { note: 'by hand' }, { 'x-user': user }))
  )
  t.same(resolved.map(r => r.status).toSorted(), [200, 409, 409])
  t.match((await get(`/events/${id}`)).body, { event: { due: false, status: 'RESOLVED' } })
  t.match(await post(`/events/${idFrom(0)}/resend`), { status: 404, body: { code: 'SF_RECONCILIATION_EVENT_UNKNOWN' } })

  const audit = (await get('/audit')).body.items.filter((entry: { action: string }) => entry.action !== 'view')
  matchWhole(t, audit, [
    { action: 'resolve', eventId: id, note: 'by hand' },
    { action: 'resend', eventId: id, note: null }
  ])
  t.equal(audit.length, 2)
  t.same(
    seen.map(s => [s.action, s.id]),
    [
      ['resend', id],
      ['resolve', id]
    ]
  )
  matchWhole(t, await get(`/audit?eventId=${id}&action=resend`), { body: { items: [{ action: 'resend' }] } })
})

t.test('counts', async t => {
  const { pool, get } = await build(t)
  await seedEvent(pool, { status: 'PARKED', park_reason: 'REFUSED', due: false })
  await seedDelivery(pool, { state: 'HELD' })
  matchWhole(t, await get('/counts'), {
    status: 200,
    body: {
      events: { NEW: 0, PARKED: 1 },
      due: 0,
      oldestDueMs: null,
      overdue: 0,
      parked: [{ reason: 'REFUSED', count: 1 }],
      inbox: { deploy: { HELD: 1 } }
    }
  })
})

t.test('a question that takes too long is given up, and leaves no session behind', async t => {
  const { app, pool, get } = await build(t, { statementTimeoutMs: 100 })
  const blocker = await pool.connect()
  await blocker.query('begin; lock table steadfast.event in access exclusive mode')
  t.match(await get('/events'), { status: 503, body: { code: 'SF_RECONCILIATION_TOO_SLOW' } })
  await blocker.query('rollback')
  blocker.release()
  t.match(await get('/events'), { status: 200 })
  t.equal(app.pg.pool.idleCount, app.pg.pool.totalCount)
})

t.test('a database that is read-only, or breaks off, is told from a fault of the service; nothing is done', async t => {
  const { pool, get, post } = await build(t)
  const id = await seedEvent(pool, { status: 'PARKED', due: false })
  const blocker = await pool.connect()
  await blocker.query('begin')
  await blocker.query('select from steadfast.event where id = $1 for update', [id])
  const deed = post(`/events/${id}/resend`)
  const waits = `select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`
  await until(async () => (await pool.query(waits)).rowCount === 1, { what: 'a deed that waits' })
  t.match(await deed, { status: 503, body: { code: 'SF_STORE_CONNECTION_LOST' } })
  await blocker.query('rollback')
  blocker.release()

  const { rows } = await pool.query('select current_database() as name')
  const setReadOnly = `alter database "${rows[0].name}" set default_transaction_read_only`
  await pool.query(`${setReadOnly} = on`)
  await pool.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()'
  )
  const refused = { status: 503, body: { code: 'SF_STORE_CONNECTION_LOST', message: /read-only/ } }
  await until(async () => (await get('/counts')).status === 200, { what: 'a new connection' })
  t.match(await post(`/events/${id}/resend`), refused)
  t.match(await post(`/events/${id}/resolve`, { note: 'by hand' }), refused)
  await pool.query(`set default_transaction_read_only = off; ${setReadOnly} = off`)

  matchWhole(t, await get(`/events/${id}`), { body: { event: { status: 'PARKED', due: false }, audit: [] } })
  t.match(await post(`/events/${id}/resend`), { status: 200 })
})
