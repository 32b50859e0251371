import t from 'tap'
import { buildApp, order, orderRoutes } from './helpers/build-app.ts'

t.test('a key works where the host has parsers of its own', async t => {
  const { app } = await buildApp(t, app => {
    Object.assign(app.pg.pool.options, { types: { getTypeParser: () => (text: string) => text } })
    orderRoutes(app)
  })
  const first = await app.inject(order('k'))
  const second = await app.inject(order('k'))
  t.equal(first.statusCode, 202)
  t.equal(second.headers['idempotency-replayed'], 'true')
  t.equal(second.body, first.body)
})
