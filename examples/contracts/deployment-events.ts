import { defineEvent } from '@steadfast/events'
import { Type } from 'typebox'
import { SleeperParameters } from './products.ts'
import { Uuid } from './uuid.ts'

const orderId = Uuid

/**
 * market asks deploy for a product. Product and plan are plain texts on purpose: one that deploy does not know is
 * answered with {@link DeploymentFailed} instead of being refused as malformed.
 */
export const DeploymentRequested = defineEvent({
  type: 'market.deployment.requested',
  topic: 'market.deployments',
  key: data => data.orderId,
  awaits: { from: 'deploy' },
  from: 'market',
  data: Type.Object({
    orderId,
    product: Type.String(),
    plan: Type.String(),
    parameters: Type.Optional(SleeperParameters)
  })
})

/** The product is there. How to reach it, never its password. */
export const DeploymentSucceeded = defineEvent({
  type: 'deploy.deployment.succeeded',
  topic: 'deploy.results',
  key: data => data.orderId,
  answers: DeploymentRequested,
  data: Type.Object({
    orderId,
    deploymentId: Uuid,
    access: Type.Optional(
      Type.Object({ host: Type.String(), port: Type.Integer(), database: Type.String(), role: Type.String() })
    )
  })
})

/** The product cannot be had, and why. */
export const DeploymentFailed = defineEvent({
  type: 'deploy.deployment.failed',
  topic: 'deploy.results',
  key: data => data.orderId,
  answers: DeploymentRequested,
  data: Type.Object({ orderId, deploymentId: Uuid, reason: Type.String() })
})
