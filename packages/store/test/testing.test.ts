import { testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { migrate } from '../src/schema/migrate.ts'
import { expectEvent } from '../src/testing.ts'
import { Answered, Asked, seedEvent } from './seed.ts'

t.test('finds the one event, or says what is there', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  await t.rejects(expectEvent(pool, Asked, { key: 'a' }), {
    message: /^no event market.asked with {"key":"a"}; there is none of this type/
  })
  const id = await seedEvent(pool, { key: 'a' }, { text: 'one' })
  t.match(await expectEvent(pool, Asked, { key: 'a' }), { id, payload: '{"key":"a","text":"one"}', status: 'NEW' })
  t.match(await expectEvent(pool, Asked), { id })
  await seedEvent(pool, { key: 'a' }, { text: 'two' })
  await t.rejects(expectEvent(pool, Asked, { key: 'a' }), { message: /^2 events instead of one.*\n.*"two".*\n.*"one"/ })
  await t.rejects(expectEvent(pool, Asked, { key: 'b' }), { message: /^no event.*there are:\n/ })
  await t.rejects(expectEvent(pool, Answered), { message: /^no event deploy.answered/ })
  t.match(await expectEvent(pool, Asked, { text: 'two' }), { key: 'a' })
})

t.test('sees what an open transaction wrote', async t => {
  const { pool } = await testDatabase(t)
  await migrate(pool)
  const client = await pool.connect()
  await client.query('begin')
  await seedEvent(client as never, {})
  await expectEvent(client, Asked)
  await t.rejects(expectEvent(pool, Asked))
  await client.query('rollback')
  client.release()
})
