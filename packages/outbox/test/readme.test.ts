import { readFile } from 'node:fs/promises'
import { testDatabase } from '@steadfast/dev-services'
import { migrate } from '@steadfast/store'
import t from 'tap'

const read = (path: string) => readFile(new URL(path, import.meta.url), 'utf8')

t.test('the README quotes files that are tested', async t => {
  const readme = await read('../README.md')
  for (const file of ['readme-example.ts', 'kysely-on.ts']) {
    const code = (await read(file)).trim()
    t.ok(readme.includes(`\`\`\`ts\n${code}\n\`\`\``), file)
  }
})

t.test('its example works', async t => {
  const { pool, url } = await testDatabase(t)
  await migrate(pool)
  await pool.query('create table orders (id bigint primary key generated always as identity, product text not null)')
  process.env.DATABASE_URL = url
  const { app } = await import('./readme-example.ts')
  t.teardown(() => app.close())
  app.log.level = 'silent'
  const response = await app.inject({ method: 'POST', url: '/orders', payload: { product: 'tea' } })
  t.equal(response.statusCode, 202)
  t.same(response.json(), { id: '1' })
  const { rows } = await pool.query('select type, key, payload, status from steadfast.event')
  t.same(rows, [{ type: 'shop.order.placed', key: '1', payload: { orderId: '1', product: 'tea' }, status: 'NEW' }])
})
