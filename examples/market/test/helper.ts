import { type TestDatabase, testDatabase } from '@steadfast/dev-services'
import { readEnvironment } from '@steadfast-examples/service'
import Fastify, { type FastifyInstance } from 'fastify'
import market from '../app.ts'
import { MarketEnvironment } from '../environment.ts'

export interface Tap {
  teardown(handler: () => unknown): void
}

export const OPERATOR = 'the-token-of-an-operator'
export const PEER = 'the-token-of-a-peer'

/** market, ready, in this process, with a database of its own. */
export async function build(
  t: Tap,
  more: Record<string, string> = {}
): Promise<{ app: FastifyInstance; database: TestDatabase }> {
  const database = await testDatabase(t)
  const app = Fastify({ ajv: { customOptions: { removeAdditional: false } } })
  t.teardown(() => app.close())
  await app.register(
    market,
    readEnvironment(MarketEnvironment, {
      DATABASE_URL: database.url,
      RECONCILIATION_TOKEN: OPERATOR,
      PEER_TOKEN: PEER,
      ...more
    })
  )
  await app.ready()
  return { app, database }
}
