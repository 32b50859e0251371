import { buildEvent, defineEvent, type EventData } from '@steadfast/events'
import { Type } from 'typebox'

export const DeploymentRequested = defineEvent({
  type: 'market.deployment.requested',
  topic: 'market.deployments',
  key: data => data.orderId,
  awaits: { from: 'deploy' },
  data: Type.Object({ orderId: Type.String({ format: 'uuid' }), product: Type.String() })
})

export const DeploymentSucceeded = defineEvent({
  type: 'deploy.deployment.succeeded',
  topic: 'deploy.deployments',
  key: data => data.orderId,
  answers: DeploymentRequested,
  data: Type.Object({ orderId: Type.String(), url: Type.String() })
})

export function request(data: EventData<typeof DeploymentRequested>) {
  return buildEvent(DeploymentRequested, data, { source: 'market' })
}
