import postgres from '@fastify/postgres'
import { type TestDatabase, testDatabase } from '@steadfast/dev-services'
import inbox from '@steadfast/inbox'
import outbox from '@steadfast/outbox'
import relay from '@steadfast/relay'
import { migrate } from '@steadfast/store'
import sweeper from '@steadfast/sweeper'
import postgresTransport from '@steadfast/transport-postgres'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Pool } from 'pg'
import type { Test } from 'tap'
import { Answered, Asked } from '../../store/test/seed.ts'
import reconciliation, { type Peer } from '../src/index.ts'
import type { Json } from './build.ts'

/** May answer with the address by which the service, though not its transport, is to connect. */
export type Prepare = (database: TestDatabase) => Promise<string | undefined>

/** How a service has its pool: resolves with the options by which the outbox, and what stands before it, is told. */
export type Connect = (app: FastifyInstance, connectionString: string) => Promise<{ pool?: Pool; pg?: string }>

const byPlugin: Connect = async (app, connectionString) => {
  await app.register(postgres, { connectionString, max: 10 })
  return {}
}

async function service(
  t: Test,
  source: string,
  logUrl: string | undefined,
  peers: Record<string, Peer>,
  prepare: Prepare,
  connect: Connect
) {
  const database = await testDatabase(t)
  const { url, pool } = database
  await migrate(pool)
  const connectionString = (await prepare(database)) ?? url
  const app = Fastify()
  const choice = await connect(app, connectionString)
  await app.register(postgresTransport, { connectionString: logUrl ?? url, pollIntervalMs: 20 })
  await app.register(outbox, { ...choice, source, contracts: [source === 'market' ? Asked : Answered] })
  await app.register(relay, { pollIntervalMs: 20 })
  await app.register(sweeper, { schedule: false })
  await app.register(inbox, {
    ensureTopics: { partitions: 2 },
    retryPollMs: 20,
    retry: { quickRetries: 0, delaysMs: [10] }
  })
  await app.register(reconciliation, { prefix: '/r', authorize: () => ({ actor: 'ann' }), peers })
  const send = async (method: 'GET' | 'POST', path: string, payload?: object): Promise<Json> => {
    const headers = payload === undefined ? {} : { 'content-type': 'application/json' }
    const response = await app.inject({
      method,
      url: `/r${path}`,
      headers,
      ...(payload === undefined ? {} : { payload })
    })
    if (response.statusCode >= 300) throw new Error(`${path}: ${response.body}`)
    return response.json()
  }
  return {
    app,
    pool,
    url,
    get: (path: string) => send('GET', path),
    post: (path: string, body: object) => send('POST', path, body)
  }
}

/**
 * The whole loop of two services with every plugin: market asks, deploy does what `behaviour` says for the key.
 * `prepare` is given each database, with Steadfast's tables, before a service runs on it.
 */
export async function loop(
  t: Test,
  behaviour: (key: string) => 'answer' | 'refuse' | 'fail' | 'silent',
  prepare: Prepare = async () => undefined,
  connect: Connect = byPlugin
) {
  const deploy = await service(t, 'deploy', undefined, {}, prepare, connect)
  deploy.app.onEvent(Asked, async (request, reply) => {
    const { key } = request.body
    const what = behaviour(key)
    if (what === 'refuse') throw Object.assign(new Error('no such plan'), { statusCode: 422, code: 'NO_PLAN' })
    if (what === 'fail') throw new Error('a bug')
    if (what === 'answer') await reply.sendEvent(Answered, { key })
    return reply.code(202).send()
  })
  const url = await deploy.app.listen({ port: 0, host: '127.0.0.1' })
  const market = await service(t, 'market', deploy.url, { deploy: { url: `${url}/r` } }, prepare, connect)
  market.app.onEvent(Answered, async () => {})
  await market.app.ready()
  t.teardown(() => Promise.all([market.app.close(), deploy.app.close()]))
  const ask = (key: string) => market.app.outbox.transaction(async tx => (await tx.sendEvent(Asked, { key })).id)
  const since = new Date(Date.now() - 60_000).toISOString()
  const compare = (query = '') =>
    market.get(`/compare?peer=deploy&since=${since}&until=${new Date().toISOString()}${query}`)
  const statusOf = async (id: string) => (await market.get(`/events/${id}`)).event.status
  return { market, deploy, ask, compare, statusOf }
}
