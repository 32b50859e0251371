import { testDatabase, until } from '@steadfast/dev-services'
import Fastify from 'fastify'
import t from 'tap'
import postgresTransport, { postgresTransport as named } from '../src/index.ts'
import { join, message, outcomes, publish } from './create.ts'

t.test('decorates fastify.transport and closes it with the server', async t => {
  const { directUrl, pool } = await testDatabase(t)
  const app = Fastify()
  await app.register(postgresTransport, { connectionString: directUrl })
  await app.ready()
  const { transport } = app
  const member = await join(transport, 't')
  t.same(outcomes(await publish(transport, [message('t', 'k', 'm')])), ['ok'])
  await until(() => member.deliveries.length === 1)
  t.same(transport.health(), { ready: true })
  await app.close()
  t.match(transport.health(), { ready: false, reason: 'closed' })
  await until(async () => {
    const { rows } = await pool.query(
      'select 1 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()'
    )
    return rows.length === 0
  })
  t.equal(named, postgresTransport)
})

t.test('takes the pool of @fastify/postgres and leaves it open', async t => {
  const { pool } = await testDatabase(t)
  const app = Fastify()
  app.decorate('pg', { pool } as never)
  await app.register(postgresTransport)
  await app.ready()
  const member = await join(app.transport, 't')
  t.same(outcomes(await publish(app.transport, [message('t', 'k', 'm')])), ['ok'])
  await until(() => member.deliveries.length === 1)
  const listeners = pool.listenerCount('error')
  await app.close()
  t.equal((await pool.query('select 1 as one')).rows[0].one, 1)
  t.equal(pool.listenerCount('error'), listeners - 1)
})

t.test('refuses options it does not know', async t => {
  const app = Fastify()
  await t.rejects(
    async () => {
      await app.register(postgresTransport, { connectionstring: 'x' } as object)
    },
    { message: /did you mean "connectionString"/ }
  )
  for (const wrong of [{ pool: {} }, { logger: {} }, { retentionMs: Number.MAX_SAFE_INTEGER }]) {
    const other = Fastify()
    const [name = ''] = Object.keys(wrong)
    other.register(postgresTransport, wrong as object)
    await t.rejects(async () => other.ready(), { code: 'SF_OPTIONS_INVALID', message: `option "${name}"` })
    await other.close()
  }
})
