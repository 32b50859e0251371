import { join } from 'node:path'
import postgres from '@fastify/postgres'
import inbox from '@steadfast/inbox'
import outbox from '@steadfast/outbox'
import reconciliation from '@steadfast/reconciliation'
import relay from '@steadfast/relay'
import { migrate } from '@steadfast/store'
import sweeper from '@steadfast/sweeper'
import { DeploymentFailed, DeploymentSucceeded } from '@steadfast-examples/contracts'
import {
  applyMigrations,
  authorizeByToken,
  connectTransport,
  documentRoutes,
  health,
  hideErrors
} from '@steadfast-examples/service'
import fp from 'fastify-plugin'
import type { DeployEnvironment } from './environment.ts'
import { acceptDeployments } from './events/accept-deployments.ts'
import { deployments } from './routes/deployments.ts'
import { worker } from './worker/worker.ts'

/** deploy: accepts requests, provisions the products step by step, answers with what came of it. */
export default fp<DeployEnvironment>(
  async (app, env) => {
    await app.register(hideErrors)
    await app.register(postgres, {
      connectionString: env.DATABASE_URL,
      application_name: 'deploy',
      max: 20,
      connectionTimeoutMillis: 5000
    })
    await migrate(app.pg.pool)
    await applyMigrations(app.pg.pool, join(import.meta.dirname, 'migrations'))

    await connectTransport(app, env)
    await app.register(outbox, { source: 'deploy', contracts: [DeploymentSucceeded, DeploymentFailed] })
    await app.register(relay, { topicPatienceMs: env.TOPIC_PATIENCE_MS })
    await app.register(sweeper, { sweepIntervalMs: env.SWEEP_INTERVAL_MS })
    await app.register(inbox, { ensureTopics: { partitions: env.TOPIC_PARTITIONS } })
    await app.register(documentRoutes, { title: 'deploy', description: 'What was asked for, and how far it is' })

    const authorize = authorizeByToken({ operator: env.RECONCILIATION_TOKEN, peer: env.PEER_TOKEN })
    await app.register(reconciliation, {
      prefix: '/reconciliation',
      authorize
    })

    await app.register(health, { authorize })
    await app.register(deployments)
    await app.register(acceptDeployments, { progressEveryMs: env.PROGRESS_EVERY_MS })
    await app.register(worker, {
      target: { url: env.TARGET_DATABASE_URL, secret: env.PROVISION_SECRET, prefix: env.PROVISION_PREFIX },
      leaseMs: env.LEASE_MS,
      pollIntervalMs: env.WORKER_POLL_INTERVAL_MS,
      progressEveryMs: env.PROGRESS_EVERY_MS
    })
  },
  { fastify: '5.x', name: 'deploy' }
)
