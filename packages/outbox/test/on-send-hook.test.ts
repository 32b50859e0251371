import t from 'tap'
import { buildApp, placeOrder } from './helpers/build-app.ts'

const post = { method: 'POST', url: '/' } as const

t.test('an onSend hook that throws before COMMIT rolls back', async t => {
  for (const where of ['server', 'route']) {
    const { app, stored, quiet } = await buildApp(t, app => {
      const fail = async () => {
        throw new Error('hook')
      }
      if (where === 'server') app.addHook('onSend', fail)
      app.post('/', { transaction: true, ...(where === 'route' && { onSend: fail }) }, async (request, reply) => {
        await placeOrder(request, reply, 'a')
        return 'ok'
      })
    })
    t.equal((await app.inject(post)).statusCode, 500)
    t.same(await stored(), { orders: [], events: [] })
    await quiet()
  }
})

t.test('an onSend hook that throws after COMMIT disturbs nobody', async t => {
  const { app, stored, quiet } = await buildApp(t, app => {
    app.addHook('onRoute', route => {
      if (route.url !== '/') return
      route.onSend = [
        ...((route.onSend as []) ?? []),
        async () => {
          throw new Error('hook')
        }
      ]
    })
    app.post('/', { transaction: true }, async (request, reply) => {
      await placeOrder(request, reply, 'a')
      return 'ok'
    })
    app.post('/good', { transaction: true }, async (request, reply) => {
      await placeOrder(request, reply, 'good')
      return 'ok'
    })
  })
  t.equal((await app.inject(post)).statusCode, 500)
  // The transaction was over: both are there, and the connection is free for the next request alone.
  t.same(await stored(), { orders: ['a'], events: ['a'] })
  t.equal((await app.inject({ method: 'POST', url: '/good' })).statusCode, 200)
  t.same(await stored(), { orders: ['a', 'good'], events: ['a', 'good'] })
  await quiet()
})
