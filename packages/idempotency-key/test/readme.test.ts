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
  await pool.query('create table orders (id bigint primary key generated always as identity, product text not null)')
  process.env.DATABASE_URL = url
  const { app } = await import('./readme-example.ts')
  t.teardown(() => app.close())
  const headers = { 'idempotency-key': 'one', 'x-account': 'a' }
  const request = { method: 'POST', url: '/orders', headers, payload: { product: 'tea' } } as const
  const first = await app.inject(request)
  const second = await app.inject(request)
  t.equal(first.statusCode, 202)
  t.equal(second.body, first.body)
  t.equal(second.headers['idempotency-replayed'], 'true')
  t.equal((await pool.query('select 1 from orders')).rowCount, 1)
})
