import { startProxy, testDatabase, until } from '@steadfast/dev-services'
import t from 'tap'
import { build, OPERATOR } from './helper.ts'

t.test(
  'a broker that is away: market starts, is ready and takes orders; what it cannot do is told elsewhere',
  async t => {
    const log = await testDatabase(t)
    const address = new URL(log.url)
    const proxy = await startProxy({ targetPort: Number(address.port) })
    t.teardown(() => proxy.close())
    address.hostname = '127.0.0.1'
    address.port = String(proxy.port)
    await proxy.cut()
    const { app, database } = await build(t, { TRANSPORT: 'postgres', TRANSPORT_DATABASE_URL: address.href })
    const messaging = async () => (await app.inject('/health/messaging')).json()
    t.same((await app.inject('/health/ready')).json(), { ready: true, reasons: [] })
    const { ready, reasons } = await messaging()
    t.equal(ready, false)
    t.equal(reasons[0], 'transport: not ready', 'no host is named to whoever asks')
    const headers = { authorization: `Bearer ${OPERATOR}` }
    const known = (await app.inject({ url: '/health/messaging', headers })).json().reasons[0]
    t.match(known, /^transport: (?!not ready)/)
    const body = { product: 'sleeper', plan: 'simulated' }
    const ordered = await app.inject({ method: 'POST', url: '/orders', body })
    t.equal(ordered.statusCode, 202)
    t.same((await database.pool.query('select due, status from steadfast.event')).rows, [{ due: true, status: 'NEW' }])
    await proxy.restore()
    const isSent = async () =>
      (await database.pool.query(`select from steadfast.event where status = 'PUBLISHED'`)).rows.length === 1
    await until(isSent, { what: 'the order to be sent' })
    await until(async () => (await messaging()).ready, { what: 'messaging to be well' })
  }
)
