import postgres from '@fastify/postgres'
import { testDatabase } from '@steadfast/dev-services'
import { migrate } from '@steadfast/store'
import Fastify from 'fastify'
import t from 'tap'
import reconciliation, { type ReconciliationOptions } from '../src/index.ts'

t.test('wrong options are refused at registration, saying which', async t => {
  const { url } = await testDatabase(t)
  const cases: [object, RegExp][] = [
    [{}, /option "source" is needed/],
    [{ source: 'a', authorise: () => true }, /unknown option "authorise"; did you mean "authorize"\?/],
    [{ source: 'a', authorize: true }, /"authorize" must be a function/],
    [{ source: 'a', present: 'masked' }, /"present" must be a function/],
    [{ source: 'a', schema: 'x"; drop table y --' }, /Not a plain identifier for schema/],
    [{ source: 'a', schema: 'Steadfast' }, /Not a plain identifier/],
    [{ source: 'a', peers: { deploy: { url: 'deploy:3000' } } }, /"peers.deploy.url" must be an http/],
    [{ source: 'a', peers: { deploy: {} } }, /"peers.deploy.url"/],
    [{ source: 'a', peers: { deploy: { url: 'http://x', headers: {} } } }, /"peers.deploy.headers"/],
    [{ source: 'a', bulkLimit: 0 }, /"bulkLimit"/],
    [{ source: 'a', peerTimeoutMs: '5' }, /"peerTimeoutMs"/]
  ]
  for (const [options, message] of cases) {
    const app = Fastify()
    app.register(postgres, { connectionString: url })
    app.register(reconciliation, options as ReconciliationOptions)
    await t.rejects(async () => app.ready(), { message }, JSON.stringify(options))
    await app.close()
  }
})

t.test('needs a pool, and the tables', async t => {
  const bare = Fastify()
  bare.register(reconciliation, { source: 'a' })
  await t.rejects(async () => bare.ready(), {
    code: 'SF_OPTIONS_INVALID',
    message: /register @fastify\/postgres before/
  })
  const { url, pool } = await testDatabase(t)
  const app = Fastify()
  app.register(postgres, { connectionString: url })
  app.register(reconciliation, { source: 'a' })
  await t.rejects(async () => app.ready(), { code: 'SF_STORE_SCHEMA_OLDER' })
  await app.close()
  await migrate(pool, { schema: 'elsewhere' })
  const other = Fastify()
  t.teardown(() => other.close())
  other.register(postgres, { connectionString: url })
  other.decorate('outbox', { source: 'market', schema: 'elsewhere' } as never)
  other.register(reconciliation, { prefix: '/r', authorize: () => true })
  await other.ready()
  t.match((await other.inject('/r/counts')).json(), { due: 0 }, 'source and schema are those of the outbox')
})
