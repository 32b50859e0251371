import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { testDatabase } from '@steadfast/dev-services'
import t from 'tap'

t.test('the example of the README runs', async t => {
  const readme = await readFile(join(import.meta.dirname, '../README.md'), 'utf8')
  const [, code = ''] = /```ts\n([\s\S]*?)```/.exec(readme) ?? []
  const file = join(import.meta.dirname, `readme-${process.pid}.tmp.ts`)
  t.teardown(() => rm(file))
  const { url } = await testDatabase(t)
  await writeFile(file, `${code.replace('postgres://localhost/shop', url)}\nexport { app, result }\n`)
  const { app, result } = await import(pathToFileURL(file).href)
  t.same(result, { ok: true })
  await app.close()
})
