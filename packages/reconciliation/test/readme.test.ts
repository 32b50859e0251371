import { readFile } from 'node:fs/promises'
import { testDatabase } from '@steadfast/dev-services'
import { migrate } from '@steadfast/store'
import t from 'tap'
import { seedEvent } from '../../store/test/seed.ts'

const read = (path: string) => readFile(new URL(path, import.meta.url), 'utf8')

t.test('the README quotes the example, which works, and names every error, route and option', async t => {
  const { pool, url } = await testDatabase(t)
  await migrate(pool)
  process.env.DATABASE_URL = url
  const readme = await read('../README.md')
  t.ok(readme.includes(`\`\`\`ts\n${(await read('readme-example.ts')).trim()}\n\`\`\``))
  for (const code of (await read('../src/errors.ts')).match(/SF_[A-Z_]+/g) ?? [])
    t.ok(readme.includes(`\`${code}\``), code)
  for (const [, option = ''] of (await read('../src/index.ts')).matchAll(/^ {2}(\w+)\?: /gm))
    t.ok(readme.includes(`\`${option}\``), option)

  const { app } = await import('./readme-example.ts')
  t.teardown(() => app.close())
  app.log.level = 'silent'
  await app.ready()
  const id = await seedEvent(pool, { status: 'PARKED', due: false })
  const post = (authorization: string) =>
    app.inject({
      method: 'POST',
      url: `/reconciliation/events/${id}/resend`,
      headers: { authorization },
      payload: { note: 'n' }
    })
  t.equal((await post('')).statusCode, 403)
  t.equal((await post('Bearer of-deploy')).statusCode, 403)
  t.equal((await post('Bearer of-a-person')).statusCode, 200)
  const { rows } = await pool.query('select actor, action from steadfast.audit')
  t.same(rows, [{ actor: 'ann', action: 'resend' }])
})
