import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { matchWhole, testDatabase, until } from '@steadfast/dev-services'
import { defineEvent } from '@steadfast/events'
import { migrate } from '@steadfast/store'
import t from 'tap'
import { Type } from 'typebox'
import { deliveryOf } from '../src/testing.ts'

const read = (path: string) => readFile(new URL(path, import.meta.url), 'utf8')

t.test('the README quotes the example, which works, and names every option and error', async t => {
  const { pool, url } = await testDatabase(t)
  await migrate(pool)
  await pool.query('create table parcel (order_id text, wrapped boolean, asked_by uuid)')
  const readme = await read('../README.md')
  const example = (await read('readme-example.ts')).trim()
  t.ok(readme.includes(`\`\`\`ts\n${example}\n\`\`\``), 'quoted')
  for (const code of (await read('../src/errors.ts')).match(/SF_[A-Z_]+/g) ?? [])
    t.ok(readme.includes(`\`${code}\``), code)
  const options = (await read('../src/options.ts')).match(
    /export interface (?:Inbox|Handler|Retry)Options {[\s\S]*?\n}/g
  )
  for (const [, name] of (options ?? []).join('\n').matchAll(/^ {2}(\w+)\??:/gm))
    t.ok(readme.includes(`\`${name}\``), `option ${name}`)

  process.env.DATABASE_URL = url
  const { app } = await import('./readme-example.ts')
  t.teardown(() => app.close())
  await app.ready()
  const GiftOrdered = defineEvent({
    type: 'shop.gift.ordered',
    topic: 'shop.gifts',
    key: data => data.orderId,
    awaits: { from: 'packing' },
    data: Type.Object({ orderId: Type.String(), wrap: Type.Boolean() })
  })
  const id = randomUUID()
  const { topic, key, headers, raw } = deliveryOf(GiftOrdered, { orderId: 'o1', wrap: true }, { id, source: 'shop' })
  const message = { topic, key: key?.toString() ?? '', headers, value: raw }
  for (let i = 0; i < 3; i++) await app.transport.publish([message], AbortSignal.timeout(5000))
  await until(async () => (await app.inbox.lag()) === 0n && (await pool.query('select from parcel')).rowCount)
  matchWhole(
    t,
    (await pool.query('select * from parcel')).rows,
    [{ order_id: 'o1', wrapped: true, asked_by: id }],
    'once'
  )
  matchWhole(t, (await pool.query('select type, causation_id from steadfast.event')).rows, [
    { type: 'packing.gift.packed', causation_id: id }
  ])
})
