import pg from 'pg'
import t from 'tap'
import { testDatabase } from '../src/index.ts'

t.test('gives an empty database of its own', async t => {
  const one = await testDatabase(t)
  const two = await testDatabase(t)
  await one.pool.query('create table thing (id int)')
  t.equal((await one.pool.query('select * from thing')).rowCount, 0)
  await t.rejects(two.pool.query('select * from thing'), { code: '42P01' })
})

t.test('drops it although a client is still connected and checked out', async t => {
  const database = await testDatabase(t)
  await database.pool.connect()
  const stranger = new pg.Client({ connectionString: database.url })
  const ended = new Promise(resolve => stranger.on('error', resolve))
  await stranger.connect()
  await database.drop()
  t.match(await ended, { code: '57P01' })
  const client = new pg.Client({ connectionString: process.env.TEST_PG_URL ?? '' })
  await client.connect()
  const name = new URL(database.url).pathname.slice(1)
  t.equal((await client.query('select from pg_database where datname = $1', [name])).rowCount, 0)
  await client.end()
})
