import { DeploymentFailed, DeploymentSucceeded } from '@steadfast-examples/contracts'
import type { FastifyPluginAsync } from 'fastify'
import { finishOrder } from '../orders/finish-order.ts'

/** deploy's answers. Each handler's transaction also confirms the request that it answers. */
export const finishOrders: FastifyPluginAsync = async app => {
  app.onEvent(DeploymentSucceeded, async request => {
    const { orderId, access } = request.body
    await finishOrder(request.tx, orderId, access === undefined ? {} : { access })
  })

  app.onEvent(DeploymentFailed, async request => {
    await finishOrder(request.tx, request.body.orderId, { reason: request.body.reason })
  })
}
