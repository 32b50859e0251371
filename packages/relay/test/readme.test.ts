import { readFile } from 'node:fs/promises'
import { testDatabase, until } from '@steadfast/dev-services'
import { migrate } from '@steadfast/store'
import t from 'tap'

t.test('the example of the README is this file, and works', async t => {
  const read = (path: string) => readFile(new URL(path, import.meta.url), 'utf8')
  const code = (await read('readme-example.ts')).trim()
  t.ok((await read('../README.md')).includes(`\`\`\`ts\n${code}\n\`\`\``))

  const { pool, url } = await testDatabase(t)
  await migrate(pool)
  process.env.DATABASE_URL = url
  const { app } = await import('./readme-example.ts')
  t.teardown(() => app.close())
  app.log.level = 'silent'
  app.pg.pool.on('connect', client => client.on('error', () => {}))
  const { statusCode } = await app.inject({ method: 'POST', url: '/orders/o1' })
  t.equal(statusCode, 202)
  const published = `select key, status, count from steadfast.event where status = 'PUBLISHED'`
  await until(async () => (await pool.query(published)).rowCount === 1)
  t.same((await pool.query(published)).rows, [{ key: 'o1', status: 'PUBLISHED', count: 1 }])
  const text = await new Promise<string>((resolve, reject) => {
    const subscribed = app.transport.subscribe(
      { group: 'reader', topics: ['shop.orders'], maxInFlight: 1 },
      delivery => {
        delivery.done()
        resolve(delivery.raw.toString())
      }
    )
    subscribed.catch(reject)
  })
  t.equal(text, '{"orderId":"o1"}')
})
