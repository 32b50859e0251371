import t from 'tap'
import { buildApp, placeOrder } from './helpers/build-app.ts'

const typed = [
  'BEGIN',
  'commit',
  '/* a comment */ RollBack',
  'end;',
  'abort',
  'start transaction read only',
  "prepare transaction 'x'",
  "insert into orders values ('b'); commit"
]

t.test('BEGIN, COMMIT and their like are refused, and the request fails even if that is swallowed', async t => {
  const { app, stored, quiet } = await buildApp(t, app => {
    app.post<{ Querystring: { text: string; swallow?: string } }>(
      '/',
      { transaction: true },
      async (request, reply) => {
        await placeOrder(request, reply, 'a')
        const typing = request.tx.query(request.query.text)
        if (request.query.swallow) await typing.catch(() => {})
        else await typing
        return 'ok'
      }
    )
  })
  for (const text of typed)
    for (const swallow of ['', 'yes']) {
      const response = await app.inject({ method: 'POST', url: '/', query: { text, swallow } })
      t.equal(response.statusCode, 500)
      t.equal(response.json().code, 'SF_OUTBOX_TRANSACTION_CONTROL', text)
    }
  t.same(await stored(), { orders: [], events: [] })
  await quiet()
})
