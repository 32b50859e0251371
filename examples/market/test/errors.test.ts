import postgres from '@fastify/postgres'
import { freePort, testDatabase } from '@steadfast/dev-services'
import { hideErrors } from '@steadfast-examples/service'
import Fastify from 'fastify'
import t from 'tap'
import { build } from './helper.ts'

t.test('nothing of the database, the host or the code leaves the service; the log has it', async t => {
  const { url } = await testDatabase(t)
  const port = await freePort()
  const lines: string[] = []
  const app = Fastify({ logger: { level: 'error', stream: { write: (line: string) => void lines.push(line) } } })
  t.teardown(() => app.close())
  await app.register(postgres, { connectionString: url })
  await app.register(postgres, { connectionString: `postgres://nobody@127.0.0.1:${port}/x`, name: 'away' })
  await app.register(hideErrors)
  app.get('/statement', () => app.pg.query('select secret from nowhere'))
  app.get('/away', () => app.pg.away?.query('select 1'))
  app.get('/thrown', () => {
    throw new Error('the password is swordfish')
  })
  app.get('/mistake', () => {
    throw Object.assign(new Error('no such product'), { statusCode: 404, code: 'NO_PRODUCT' })
  })
  app.get('/busy', () => {
    throw Object.assign(new Error('pool of 10.0.0.7'), {
      statusCode: 503,
      code: 'SF_X',
      headers: { 'retry-after': '1' }
    })
  })
  for (const [path, secret] of [
    ['/statement', 'nowhere'],
    ['/away', String(port)],
    ['/thrown', 'swordfish']
  ] as const) {
    const { body, statusCode, ...response } = await app.inject(path)
    t.equal(statusCode, 500)
    const { requestId, ...told } = JSON.parse(body)
    t.match(told, { statusCode: 500, code: 'INTERNAL_ERROR', message: /request id/ })
    t.notMatch(`${body}${JSON.stringify(response.headers)}`, secret)
    const line = lines.find(line => line.includes(secret)) ?? '{}'
    t.equal(JSON.parse(line).reqId, requestId)
  }
  const busy = await app.inject('/busy')
  t.same([busy.statusCode, busy.json().code, busy.headers['retry-after']], [503, 'SF_X', '1'])
  t.notMatch(busy.body, '10.0.0.7')
  t.match((await app.inject('/mistake')).json(), { statusCode: 404, code: 'NO_PRODUCT', message: 'no such product' })
})

t.test('market has it', async t => {
  const { app, database } = await build(t)
  await database.pool.query('alter table orders rename to elsewhere')
  const { statusCode, body } = await app.inject('/orders')
  t.equal(statusCode, 500)
  t.notMatch(body, 'orders')
  t.match(JSON.parse(body), { code: 'INTERNAL_ERROR' })
  const wrong = await app.inject({ method: 'POST', url: '/orders', payload: { product: 7 } })
  t.same([wrong.statusCode, wrong.json().code], [400, 'FST_ERR_VALIDATION'])
})
