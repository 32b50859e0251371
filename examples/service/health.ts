import { setTimeout as sleep } from 'node:timers/promises'
import type {} from '@fastify/postgres'
import type {} from '@steadfast/inbox'
import type {} from '@steadfast/relay'
import type { FastifyPluginAsync } from 'fastify'
import { Type } from 'typebox'

const Health = Type.Object({ ready: Type.Boolean(), reasons: Type.Array(Type.String()) })

/** Whether a database answers within the time given. */
function databaseAnswers(query: () => Promise<unknown>, withinMs: number): Promise<boolean> {
  const answer = query().then(
    () => true,
    () => false
  )
  return Promise.race([answer, sleep(withinMs, false, { ref: false })])
}

/**
 * `GET /health/live`: the process answers. `GET /health/ready`: 200 while database, transport, relay and consumer can
 * work, else 503 with the reasons.
 */
export const health: FastifyPluginAsync = async app => {
  app.get('/health/live', { logLevel: 'warn', schema: { tags: ['health'] } }, async () => ({ live: true }))

  const schema = { tags: ['health'], response: { 200: Health, 503: Health } }
  app.get('/health/ready', { logLevel: 'warn', schema }, async (_request, reply) => {
    const parts = { transport: app.transport.health(), relay: app.relay.health(), inbox: app.inbox.health() }
    const reasons = Object.entries(parts).flatMap(([part, { ready, reason }]) =>
      ready ? [] : [`${part}: ${reason ?? 'not ready'}`]
    )
    if (!(await databaseAnswers(() => app.pg.query('select 1'), 1000))) reasons.unshift('database: no answer')
    return reply.code(reasons.length === 0 ? 200 : 503).send({ ready: reasons.length === 0, reasons })
  })
}
