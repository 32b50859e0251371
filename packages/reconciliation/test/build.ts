import postgres from '@fastify/postgres'
import { testDatabase } from '@steadfast/dev-services'
import { migrate } from '@steadfast/store'
import Fastify, { type FastifyInstance, type InjectOptions } from 'fastify'
import type { Pool } from 'pg'
import type { Test } from 'tap'
import reconciliation, { type ReconciliationOptions } from '../src/index.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers whose form they check
export type Json = any

export interface Route {
  method: string
  url: string
}

export interface Service {
  app: FastifyInstance
  pool: Pool
  routes: Route[]
  get(path: string, headers?: Record<string, string>): Promise<{ status: number; body: Json }>
  post(path: string, body?: unknown, headers?: Record<string, string>): Promise<{ status: number; body: Json }>
}

/** A server with reconciliation under /reconciliation, on a database of its own. `log`: is given its warnings and errors. */
export async function build(
  t: Test,
  options: ReconciliationOptions = {},
  prepare: (app: FastifyInstance) => void = () => {},
  log: string[] = []
): Promise<Service> {
  const { url, pool } = await testDatabase(t)
  await migrate(pool)
  const app = Fastify({ logger: { level: 'warn', stream: { write: line => void log.push(line) } } })
  t.teardown(() => app.close())
  const routes: Route[] = []
  app.addHook('onRoute', route => {
    for (const method of [route.method].flat()) routes.push({ method, url: route.url })
  })
  await app.register(postgres, { connectionString: url })
  prepare(app)
  const open: ReconciliationOptions = {
    source: 'market',
    authorize: request => ({ actor: String(request.headers['x-user'] ?? 'ann') })
  }
  await app.register(reconciliation, { ...open, ...options, prefix: '/reconciliation' })
  await app.ready()
  const send = async (request: InjectOptions) => {
    const response = await app.inject(request)
    return { status: response.statusCode, body: response.body === '' ? undefined : response.json() }
  }
  return {
    app,
    pool,
    routes,
    get: (path, headers = {}) => send({ url: `/reconciliation${path}`, headers }),
    post: (path, body = {}, headers = {}) =>
      send({
        method: 'POST',
        url: `/reconciliation${path}`,
        payload: body as object,
        headers: { 'content-type': 'application/json', ...headers }
      })
  }
}
