import { startProxy, type TcpProxy } from '@steadfast/dev-services'
import t from 'tap'
import { buildApp, placeOrder } from './helpers/build-app.ts'
import { deferred } from './helpers/deferred.ts'

t.test(
  'the server falls silent amid requests: each is answered within its bounds, and gives its connection back',
  async t => {
    let proxy!: TcpProxy
    const silent = deferred()
    let waiting = 0
    const allWait = deferred()
    const { app, stored, quiet } = await buildApp(
      t,
      app => {
        app.post<{ Params: { then: string } }>('/:then', { transaction: true }, async (request, reply) => {
          const { then } = request.params
          await placeOrder(request, reply, then)
          if (then === 'afterwards') return 'ok'
          if (++waiting === 3) allWait.resolve()
          await silent.promise
          if (then === 'query') await request.tx.query('select 1')
          if (then === 'throw') throw new Error('something else')
          return 'ok'
        })
      },
      {
        pool: { max: 3 },
        outboxOptions: { statementTimeoutMs: 500 },
        async through(port) {
          proxy = await startProxy({ targetPort: port })
          return proxy.port
        }
      }
    )
    t.teardown(() => proxy.close())
    const answers = Promise.all(
      ['query', 'commit', 'throw'].map(then => app.inject({ method: 'POST', url: `/${then}` }))
    )
    await allWait.promise
    proxy.blackhole('both')
    silent.resolve()
    t.same(
      (await answers).map(answer => [answer.statusCode, answer.json().code]),
      [
        [503, 'SF_OUTBOX_CONNECTION_LOST'],
        [503, 'SF_OUTBOX_CONNECTION_LOST'],
        [500, undefined]
      ],
      'the events of the second were not written yet'
    )
    await proxy.restore()
    t.equal((await app.inject({ method: 'POST', url: '/afterwards' })).statusCode, 200)
    t.same(await stored(), { orders: ['afterwards'], events: ['afterwards'] })
    await quiet()
  }
)
