import { readFile } from 'node:fs/promises'
import { matchWhole, testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { requireSchema } from '../src/index.ts'
import { prepare } from './readme-example.ts'

const read = (path: string) => readFile(new URL(path, import.meta.url), 'utf8')

t.test('the README quotes the example, which works, and names every error of the store', async t => {
  const { pool, url } = await testDatabase(t)
  const readme = await read('../README.md')
  t.ok(readme.includes(`\`\`\`ts\n${(await read('readme-example.ts')).trim()}\n\`\`\``))
  const said = t.capture(console, 'log')
  const complained = t.capture(console, 'error')
  await prepare(url)
  matchWhole(
    t,
    said().map(call => call.args),
    [[/^applied 1/]]
  )
  t.same(complained(), [])
  await requireSchema(pool)
  for (const code of (await read('../src/errors.ts')).match(/SF_[A-Z_]+/g) ?? [])
    t.ok(readme.includes(`\`${code}\``), code)
})
