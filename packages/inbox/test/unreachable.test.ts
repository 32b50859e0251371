import t from 'tap'
import { deliver } from '../src/testing.ts'
import { build, effects, groupOf, insertEffect, Task } from './helper.ts'

const url = `/steadfast/events/${groupOf('worker')}/${Task.type}`

t.test('a delivery route answers only the inbox', async t => {
  const nested: number[] = []
  const { app, pool } = await build(t, app => {
    app.onEvent(Task, async request => {
      await insertEffect(request.tx, request.body)
      // Even from within a delivery: the constraint lets in the one request that the inbox has made.
      nested.push((await app.inject({ method: 'POST', url, payload: { id: 'x', n: 2 } })).statusCode)
    })
  })
  const payload = { id: 'x', n: 1 }
  for (const headers of [{}, { steadfastDelivery: 'inbox', 'steadfast-delivery': 'inbox' }])
    t.equal((await app.inject({ method: 'POST', url, payload, headers })).statusCode, 404, 'a bare inject')
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  const answer = await fetch(`${address}${url}`, {
    method: 'POST',
    body: JSON.stringify(payload),
    headers: { 'content-type': 'application/json' }
  })
  t.equal(answer.status, 404, 'the network')
  t.same(await effects(pool), [])
  t.match(await deliver(app, Task, payload), { outcome: 'handled' })
  t.same(nested, [404])
  t.same(await effects(pool), [1])
})

t.test('prefix and encapsulation are those of the instance it is declared on', async t => {
  const seen: string[] = []
  const { app } = await build(t, app => {
    app.register(
      async child => {
        child.addHook('preHandler', async request => {
          seen.push(`hook ${request.event?.type} ${(request.body as { n: number }).n} ${request.url}`)
        })
        child.setErrorHandler((_error, _request, reply) =>
          reply.code(409).send({ message: 'by the child', code: 'CHILD' })
        )
        child.onEvent(Task, async function (request) {
          seen.push(`own instance ${this === child}`)
          if (request.body.n === 2) throw new Error('oops')
        })
      },
      { prefix: '/api' }
    )
  })
  t.match(await deliver(app, Task, { id: 'x', n: 1 }), { outcome: 'handled' })
  t.same(seen, [`hook ${Task.type} 1 /api${url}`, 'own instance true'])
  t.match(await deliver(app, Task, { id: 'x', n: 2 }), { outcome: 'refused', status: 409, error: { message: 'oops' } })
})
