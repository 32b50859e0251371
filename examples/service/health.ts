import { setTimeout as sleep } from 'node:timers/promises'
import type {} from '@fastify/postgres'
import type {} from '@steadfast/inbox'
import type { Authorizer } from '@steadfast/reconciliation'
import type {} from '@steadfast/relay'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
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
 * `GET /health/live`: the process answers. `GET /health/ready`: 200 while the database answers, for then orders can be taken: a
 * broker that is away delays what is sent and loses nothing, and must not take a service from its callers.
 * `GET /health/messaging`: 200 while transport, relay and inbox can work as well, else 503 with what cannot: for an alarm. Why it
 * cannot, which may name hosts, hears who may read reconciliation.
 */
export const health: FastifyPluginAsync<{ authorize: Authorizer }> = async (app, { authorize }) => {
  app.get('/health/live', { logLevel: 'warn', schema: { tags: ['health'] } }, async () => ({ live: true }))

  const options = { logLevel: 'warn', schema: { tags: ['health'], response: { 200: Health, 503: Health } } } as const
  const ofDatabase = async () =>
    (await databaseAnswers(() => app.pg.query('select 1'), 1000)) ? [] : ['database: no answer']
  const ofMessaging = (mayKnow: boolean) => {
    const parts = { transport: app.transport.health(), relay: app.relay.health(), inbox: app.inbox.health() }
    return Object.entries(parts).flatMap(([part, { ready, reason }]) =>
      ready ? [] : [`${part}: ${(mayKnow && reason) || 'not ready'}`]
    )
  }
  const mayRead = async (request: FastifyRequest) => {
    try {
      return Boolean(await authorize(request, 'read'))
    } catch {
      return false
    }
  }
  const answer = (reply: FastifyReply, reasons: string[]) =>
    reply.code(reasons.length === 0 ? 200 : 503).send({ ready: reasons.length === 0, reasons })

  app.get('/health/ready', options, async (_request, reply) => answer(reply, await ofDatabase()))
  app.get('/health/messaging', options, async (request, reply) =>
    answer(reply, [...(await ofDatabase()), ...ofMessaging(await mayRead(request))])
  )
}
