import { join } from 'node:path'
import postgres from '@fastify/postgres'
import idempotencyKey from '@steadfast/idempotency-key'
import inbox from '@steadfast/inbox'
import outbox from '@steadfast/outbox'
import reconciliation, { type Peer } from '@steadfast/reconciliation'
import relay from '@steadfast/relay'
import { migrate } from '@steadfast/store'
import sweeper from '@steadfast/sweeper'
import { DeploymentRequested } from '@steadfast-examples/contracts'
import {
  applyMigrations,
  authorizeByToken,
  connectTransport,
  documentRoutes,
  health,
  hideErrors
} from '@steadfast-examples/service'
import fp from 'fastify-plugin'
import type { MarketEnvironment } from './environment.ts'
import { finishOrders } from './events/finish-orders.ts'
import { orders } from './routes/orders.ts'
import { products } from './routes/products.ts'

/** market: takes orders, asks deploy for the product, completes the order when the answer comes. */
export default fp<MarketEnvironment>(
  async (app, env) => {
    await app.register(hideErrors)
    await app.register(postgres, {
      connectionString: env.DATABASE_URL,
      application_name: 'market',
      max: 20,
      connectionTimeoutMillis: 5000
    })
    await migrate(app.pg.pool)
    await applyMigrations(app.pg.pool, join(import.meta.dirname, 'migrations'))

    await connectTransport(app, env)
    await app.register(outbox, {
      source: 'market',
      contracts: [DeploymentRequested],
      confirmWithinMs: env.CONFIRM_WITHIN_MS,
      maxSends: env.MAX_SENDS
    })
    await app.register(relay, { topicPatienceMs: env.TOPIC_PATIENCE_MS })
    await app.register(sweeper, { sweepIntervalMs: env.SWEEP_INTERVAL_MS })
    await app.register(inbox, { ensureTopics: { partitions: env.TOPIC_PARTITIONS } })
    // Whoever may reach market may order and see every order, without a login: there is nobody to tell apart.
    await app.register(idempotencyKey, { principal: 'shared' })
    await app.register(documentRoutes, { title: 'market', description: 'Order a product and watch it come to be' })

    const authorize = authorizeByToken({ operator: env.RECONCILIATION_TOKEN, peer: env.PEER_TOKEN })
    await app.register(reconciliation, {
      prefix: '/reconciliation',
      authorize,
      peers: peersOf(env)
    })

    await app.register(health, { authorize })
    await app.register(products)
    await app.register(orders)
    await app.register(finishOrders)
  },
  { fastify: '5.x', name: 'market' }
)

function peersOf({ DEPLOY_URL, DEPLOY_TOKEN }: MarketEnvironment): Record<string, Peer> {
  if (DEPLOY_URL === undefined) return {}
  if (DEPLOY_TOKEN === undefined) throw new Error('environment: DEPLOY_URL needs DEPLOY_TOKEN')
  const headers = () => ({ authorization: `Bearer ${DEPLOY_TOKEN}` })
  return { deploy: { url: `${DEPLOY_URL}/reconciliation`, headers } }
}
