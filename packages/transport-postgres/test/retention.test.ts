import { testDatabase, until } from '@steadfast/dev-services'
import t from 'tap'
import { createFor, join, message, publish } from './create.ts'

const numbered = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => message('t', 'k', `m${from + i}`))

t.test('what is over its time goes, from the front, in steps; lag and the beginning follow', async t => {
  const { url, pool } = await testDatabase(t)
  const said: { missed?: number }[] = []
  const logger = { debug() {}, info() {}, error() {}, warn: (details: object) => void said.push(details) }
  const transport = createFor(t, { connectionString: url, retentionMs: 60_000, logger })
  await transport.ensureTopics([{ name: 't', partitions: 1 }])
  await publish(transport, numbered(0, 2500))
  const slow = await join(transport, 't', { group: 'slow', hold: true, maxInFlight: 2 })
  await until(() => slow.deliveries.length === 2)
  slow.subscription.pause()
  slow.deliveries[0]?.done()
  await until(async () => (await slow.subscription.lag()) === 2499n)
  // Message 2450 is young though later ones are old: the clock was set back. What stands behind it stays.
  await pool.query(`update steadfast_log.record set at = at - interval '2 minutes' where "offset" <> 2450`)
  t.equal(await transport.purge(), 2450)
  t.equal(await transport.purge(), 0)

  const fresh = await join(transport, 't', { group: 'fresh' })
  await until(() => fresh.deliveries.length === 50)
  t.equal(fresh.texts()[0], 'm2450')
  await until(async () => (await fresh.subscription.lag()) === 0n)
  await fresh.subscription.rewind('beginning')
  await until(() => fresh.deliveries.length === 100)
  t.equal(fresh.texts()[50], 'm2450')

  t.equal(await slow.subscription.lag(), 50n)
  slow.subscription.resume()
  slow.deliveries[1]?.done()
  await until(() => slow.deliveries.length >= 3)
  t.equal(slow.texts()[2], 'm2450')
  t.ok(
    said.some(({ missed }) => missed === 2448),
    'what the group missed is said'
  )
})

t.test('a partition that was emptied goes on with its offsets', async t => {
  const { url, pool } = await testDatabase(t)
  const transport = createFor(t, { connectionString: url, retentionMs: 60_000 })
  await transport.ensureTopics([{ name: 't', partitions: 1 }])
  await publish(transport, numbered(0, 5))
  await pool.query(`update steadfast_log.record set at = at - interval '2 minutes'`)
  t.equal(await transport.purge(), 5)
  const member = await join(transport, 't')
  t.equal(await member.subscription.lag(), 0n)
  await publish(transport, numbered(5, 1))
  await until(() => member.deliveries.length === 1)
  t.equal(member.deliveries[0]?.position, '0:5')
})
