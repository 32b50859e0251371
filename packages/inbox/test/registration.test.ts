import postgres from '@fastify/postgres'
import { testDatabase, until } from '@steadfast/dev-services'
import type { EventContract } from '@steadfast/events'
import outbox from '@steadfast/outbox'
import relay from '@steadfast/relay'
import fastify from 'fastify'
import t from 'tap'
import inbox from '../src/index.ts'
import { parseInboxOptions } from '../src/options.ts'
import { deliver } from '../src/testing.ts'
import { build, Note, RESULTS, TASKS, Task, TaskDone } from './helper.ts'

t.test('what it needs is asked for by name', async t => {
  const { url } = await testDatabase(t)
  const bare = fastify()
  bare.register(inbox)
  await t.rejects(async () => await bare.ready(), { code: 'FST_ERR_PLUGIN_DEPENDENCY_NOT_REGISTERED' })
  const app = fastify()
  t.teardown(() => app.close())
  app.register(postgres, { connectionString: url })
  app.register(outbox, { source: 'worker' })
  app.register(inbox)
  await t.rejects(async () => await app.ready(), { code: 'SF_INBOX_PLUGIN_MISSING', message: /transport/ })
})

t.test('options are checked, with a suggestion', async t => {
  await t.rejects(
    build(t, () => {}, { inbox: { maxInflight: 1 } as object }),
    { code: 'SF_OPTIONS_INVALID', message: /did you mean "maxInFlight"/ }
  )
  await t.rejects(
    build(t, () => {}, { inbox: { retry: { quickRetry: 1 } } as object }),
    { message: /did you mean "quickRetries"/ }
  )
  const code = 'SF_OPTIONS_INVALID'
  for (const retry of [null, 5, 'x', []]) t.throws(() => parseInboxOptions({ retry }), { code, message: /"retry"/ })
  for (const name of ['timeoutMs', 'lockTimeoutMs', 'pauseMs', 'closeDeadlineMs'])
    t.throws(() => parseInboxOptions({ [name]: 2 ** 31 }), { code, message: `"${name}"` })
  await t.rejects(
    build(t, () => {}, { inbox: { group: 'a/b' } }),
    { code: 'SF_INBOX_GROUP_INVALID' }
  )
  await t.rejects(
    build(t, () => {}, { inbox: { schema: 'x"; drop' } }),
    { code: 'SF_STORE_IDENTIFIER_INVALID' }
  )
  await build(t, app => {
    t.throws(() => app.onEvent(Task, { timeoutms: 1 } as object, () => {}), { message: /did you mean "timeoutMs"/ })
    for (const group of ['a b', 'g'.repeat(101)])
      t.throws(() => app.onEvent(Task, { group }, () => {}), { code: 'SF_INBOX_GROUP_INVALID' })
  })
})

t.test('a handler has the options of a Fastify route, beside its own', async t => {
  const seen: unknown[] = []
  const { app } = await build(t, app => {
    const options = {
      timeoutMs: 5_000,
      config: { mine: true } as object,
      onRequest: async () => void seen.push('onRequest'),
      preHandler: [
        async (request: { body: unknown; routeOptions: { config: object } }) =>
          void seen.push(request.body, 'mine' in request.routeOptions.config)
      ],
      errorHandler: async () => {
        throw Object.assign(new Error('mapped'), { statusCode: 422 })
      }
    }
    app.onEvent(Task, options, async () => {
      throw new Error('as it was')
    })
  })
  await app.ready()
  const result = await deliver(app, Task, { id: 'k', n: 1 })
  t.same(seen, ['onRequest', { id: 'k', n: 1 }, true])
  t.match(result, { outcome: 'refused', status: 422 })
})

t.test('a type has one handler in each group', async t => {
  await build(t, app => {
    app.onEvent(Task, () => {}).onEvent(Note, () => {})
    app.onEvent(Task, { group: 'other' }, () => {})
    t.throws(() => app.onEvent(Task, () => {}), { code: 'SF_INBOX_DUPLICATE_HANDLER' })
    app.register(async child => {
      t.throws(() => child.onEvent(Task, { group: 'other' }, () => {}), { code: 'SF_INBOX_DUPLICATE_HANDLER' })
    })
  })
})

t.test('tables that are missing are named when the server starts', async t => {
  await t.rejects(
    build(t, () => {}, { inbox: { schema: 'nowhere' } }),
    { code: 'SF_STORE_SCHEMA_OLDER' }
  )
})

t.test('a topic that does not keep what is needed is warned of by name, at both ends', async t => {
  const lines: { level: number; topic?: string; msg: string }[] = []
  const stream = {
    write(line: string) {
      lines.push(JSON.parse(line))
    }
  }
  await build(t, app => void app.onEvent(Task, async () => {}), {
    contracts: [TaskDone as unknown as EventContract],
    server: { logger: { level: 'warn', stream } },
    async before(app) {
      app.transport.describeTopics = async topics =>
        topics.map(name => ({ name, retentionMs: 1000, isCompacted: name === TASKS }))
      await app.register(relay, { schedule: false })
    }
  })
  const warned = () => lines.filter(({ msg }) => msg.startsWith('topic '))
  await until(() => warned().length >= 3, { what: 'the warnings' })
  t.same(
    warned()
      .map(({ level, topic }) => [level, topic])
      .sort(),
    [TASKS, TASKS, RESULTS].map(topic => [40, topic]).sort()
  )
})
