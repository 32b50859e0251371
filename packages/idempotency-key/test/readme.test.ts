import { readFile } from 'node:fs/promises'
import { testDatabase } from '@steadfast/dev-services'
import { migrate } from '@steadfast/store'
import t from 'tap'

const read = (path: string) => readFile(new URL(path, import.meta.url), 'utf8')

t.test('the README quotes the example', async t => {
  const code = (await read('readme-example.ts')).trim()
  t.ok((await read('../README.md')).includes(`\`\`\`ts\n${code}\n\`\`\``))
})

t.test('the example works', async t => {
  const { pool, url } = await testDatabase(t)
  await migrate(pool)
  await pool.query(`create table orders (id bigint primary key generated always as identity, account text, product text);
    create table login (token text, account text);
    insert into login values ('one', 'ada'), ('two', 'ada'), ('three', 'bob')`)
  process.env.DATABASE_URL = url
  const { app } = await import('./readme-example.ts')
  t.teardown(() => app.close())
  const ask = (authorization: string) => {
    const headers = { 'idempotency-key': 'k', authorization }
    return app.inject({ method: 'POST', url: '/orders', headers, payload: { product: 'tea' } })
  }
  const first = await ask('one')
  const second = await ask('two')
  t.equal(first.statusCode, 202)
  t.equal(second.body, first.body)
  t.equal(second.headers['idempotency-replayed'], 'true')
  t.equal((await ask('three')).headers['idempotency-replayed'], undefined)
  t.equal((await ask('nobody')).statusCode, 401)
  t.strictSame((await pool.query('select account from orders order by id')).rows, [
    { account: 'ada' },
    { account: 'bob' }
  ])
})
