import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { testKafka } from '@steadfast/dev-services'
import t from 'tap'

const kafka = testKafka(t)

t.test('the example of the README runs', { skip: kafka ? false : 'no Kafka: Java ≥ 17 and Maven needed' }, async t => {
  const readme = await readFile(join(import.meta.dirname, '../README.md'), 'utf8')
  const [, code = ''] = /```ts\n([\s\S]*?)```/.exec(readme) ?? []
  const file = join(import.meta.dirname, `readme-${process.pid}.tmp.ts`)
  t.teardown(() => rm(file))
  const brokers = JSON.stringify(kafka?.brokers)
  await writeFile(file, `${code.replace("['localhost:9092']", brokers)}\nexport { app, result }\n`)
  const { app, result } = await import(pathToFileURL(file).href)
  t.same(result, { ok: true })
  await app.close()
})
