import { testDatabase, until } from '@steadfast/dev-services'
import postgresTransport from '@steadfast/transport-postgres'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import { build, effects, insertEffect, memory, proxied, send, TASKS, Task } from './helper.ts'

t.test(
  'a broker that is away ends no start: its topics are made when it comes back, and what is sent arrives',
  async t => {
    const log = await testDatabase(t)
    const { proxy, url } = await proxied(t, log.url)
    await proxy.cut()
    const transport = fp(async (app: FastifyInstance) => {
      await app.register(postgresTransport, { connectionString: url, pollIntervalMs: 20 })
    })
    const { app, pool } = await build(
      t,
      app => void app.onEvent(Task, async request => void (await insertEffect(request.tx, request.body))),
      { transport }
    )
    t.match(app.inbox.health(), { reason: /topics: / })
    await proxy.restore()
    await until(() => app.inbox.health().reason === undefined, { what: 'the topics are made' })
    await send(app, Task, { id: 'k', n: 1 })
    await until(async () => (await effects(pool)).length === 1, { what: 'the task is done' })
  }
)

t.test(
  'what may not be made is tried again, told of once for each reason, and keeps no server from closing',
  async t => {
    const lines: string[] = []
    let tries = 0
    const transport = fp(async (app: FastifyInstance) => {
      await app.register(memory())
      const { ensureTopics } = app.transport
      app.transport.ensureTopics = async topics => {
        t.ok(topics.some(({ name }) => name === TASKS))
        if (++tries < 4) throw new Error(tries < 3 ? 'no right to make it' : 'away')
        await ensureTopics.call(app.transport, topics)
      }
    })
    const { app } = await build(t, app => void app.onEvent(Task, async () => {}), {
      transport,
      inbox: { pauseMs: 5, pauseMaxMs: 10 },
      server: { logger: { level: 'info', stream: { write: (line: string) => void lines.push(JSON.parse(line).msg) } } }
    })
    await until(() => app.inbox.health().reason === undefined, { what: 'the topics are made' })
    t.equal(tries, 4)
    t.same(
      lines.filter(line => line.includes('topics')),
      ['topics could not be made; tried again', 'topics could not be made; tried again', 'the topics are there']
    )
    const stuck = await build(t, app => void app.onEvent(Task, async () => {}), {
      transport: fp(async (app: FastifyInstance) => {
        await app.register(memory())
        app.transport.ensureTopics = () => Promise.reject(new Error('never'))
      }),
      inbox: { pauseMs: 60_000, pauseMaxMs: 60_000 }
    })
    t.match(stuck.app.inbox.health(), { reason: 'topics: never' })
    await stuck.app.close()
  }
)
