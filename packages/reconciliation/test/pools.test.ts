import postgres from '@fastify/postgres'
import { testDatabase } from '@steadfast/dev-services'
import outbox from '@steadfast/outbox'
import relay from '@steadfast/relay'
import sweeper from '@steadfast/sweeper'
import postgresTransport from '@steadfast/transport-postgres'
import Fastify, { type FastifyPluginAsync } from 'fastify'
import pg from 'pg'
import t from 'tap'
import reconciliation from '../src/index.ts'
import { everyPlugin } from './every-plugin.ts'

// a busy machine takes its time
t.setTimeout(240_000)

t.test('every plugin works on a pool that is given to the outbox alone', async t => {
  await everyPlugin(t, undefined, async (app, connectionString) => {
    const pool = new pg.Pool({ connectionString, max: 10 })
    app.addHook('onClose', () => pool.end())
    return { pool }
  })
})

t.test('and on a named @fastify/postgres, beside one without a name, which it does not touch', async t => {
  const other = await testDatabase(t)
  await everyPlugin(t, undefined, async (app, connectionString) => {
    await app.register(postgres, { connectionString: other.url })
    await app.register(postgres, { connectionString, max: 10, name: 'orders' })
    return { pg: 'orders' }
  })
  const { rows } = await other.pool.query(`select nspname from pg_namespace where nspname like 'steadfast%'`)
  t.same(rows, [])
})

t.test('without a pool, with two, or with a name that is not known the start says so', async t => {
  const { url, pool } = await testDatabase(t)
  const starts = async (plugin: FastifyPluginAsync, options: object, names: string[] = []) => {
    const app = Fastify()
    t.teardown(() => app.close())
    if (plugin !== postgresTransport) app.decorate('transport', {} as never)
    for (const name of names) await app.register(postgres, { connectionString: url, name })
    await app.register(plugin, options as never)
    await app.ready()
  }
  const code = 'SF_OPTIONS_INVALID'
  for (const [name, plugin, options] of [
    ['outbox', outbox, { source: 'shop' }],
    ['relay', relay, {}],
    ['sweeper', sweeper, {}],
    ['reconciliation', reconciliation, { source: 'shop' }],
    ['transport-postgres', postgresTransport, {}]
  ] as const) {
    const says = (message: string) => ({ code, message: new RegExp(`^@steadfast/${name}: .*${message}`) })
    const plain = plugin as FastifyPluginAsync
    await t.rejects(starts(plain, options), says('"pool" or "pg" is needed, or register @fastify/postgres before it'))
    await t.rejects(starts(plain, { ...options, pool, pg: 'a' }), says('one of the options "pool" and "pg"'))
    await t.rejects(
      starts(plain, { ...options, pg: 'b' }, ['a']),
      says('no @fastify/postgres is named "b"; there are "a"')
    )
    await t.rejects(starts(plain, options, ['a', 'b']), says('there are "a", "b"'))
  }
})
