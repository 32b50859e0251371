import { readFile } from 'node:fs/promises'
import { testDatabase, until } from '@steadfast/dev-services'
import { migrate } from '@steadfast/store'
import t from 'tap'
import { sweepOnce } from '../src/testing.ts'

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
  const { statusCode } = await app.inject({ method: 'POST', url: '/orders/o1/ship' })
  t.equal(statusCode, 202)
  const sends = async () => (await pool.query('select count from steadfast.event')).rows[0]?.count
  await until(async () => (await sends()) === 1)
  const now = new Date(Date.now() + 3_600_000)
  // The server sweeps by itself too, and one sweep goes round another.
  await until(async () => (await sweepOnce(app, { now })).resent.length === 1)
  await until(async () => (await sends()) === 2)
})
