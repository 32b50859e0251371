import { readFile } from 'node:fs/promises'
import t from 'tap'
import * as events from '../src/index.ts'
import { request } from './readme-example.ts'

const read = (path: string) => readFile(new URL(path, import.meta.url), 'utf8')

t.test('the README quotes the example, which works, and names every error', async t => {
  const readme = await read('../README.md')
  t.ok(readme.includes(`\`\`\`ts\n${(await read('readme-example.ts')).trim()}\n\`\`\``))
  const event = request({ orderId: '0190a0a0-0000-7000-8000-000000000001', product: 'tea' })
  t.match(event, { type: 'market.deployment.requested', awaitsFrom: 'deploy', replyTo: 'market.signals' })
  t.throws(() => request({ orderId: 'x', product: 'tea' }), { code: 'SF_EVENTS_DATA_REFUSED' })
  for (const code of (await read('../src/errors.ts')).match(/SF_[A-Z_]+/g) ?? [])
    t.ok(readme.includes(`\`${code}\``), code)
  for (const name of Object.keys(events)) t.ok(readme.includes(name), name)
})
