import { DeploymentFailed, DeploymentSucceeded } from '@steadfast-examples/contracts'
import type { FastifyInstance } from 'fastify'
import { finishSleepers } from '../deployments/finish-sleepers.ts'

const BATCH = 200

/** Ends a batch of sleepers and states their results, in one transaction. */
export async function wakeSleepers(app: FastifyInstance): Promise<boolean> {
  return app.outbox.transaction(async tx => {
    const finished = await finishSleepers(tx, BATCH)
    for (const { id, orderId, reason } of finished) {
      const result = { orderId, deploymentId: id }
      if (reason === null) await tx.sendEvent(DeploymentSucceeded, result, { inReplyTo: id })
      else await tx.sendEvent(DeploymentFailed, { ...result, reason }, { inReplyTo: id })
    }
    return finished.length > 0
  })
}
