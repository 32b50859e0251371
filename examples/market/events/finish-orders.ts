import { DeploymentFailed, DeploymentRequested, DeploymentSucceeded } from '@steadfast-examples/contracts'
import type { FastifyPluginAsync } from 'fastify'
import { finishOrder } from '../orders/finish-order.ts'
import { giveUpOrder } from '../orders/give-up-order.ts'

/** deploy's answers. Each handler's transaction also confirms the request that it answers. */
export const finishOrders: FastifyPluginAsync = async app => {
  app.onEvent(DeploymentSucceeded, async request => {
    const { orderId, access } = request.body
    const late = request.event.afterUnanswered
    await finishOrder(request.tx, orderId, access === undefined ? {} : { access }, { late })
  })

  app.onEvent(DeploymentFailed, async request => {
    await finishOrder(request.tx, request.body.orderId, { reason: request.body.reason })
  })

  // What deploy has refused it does not do. Of what it has not answered nobody knows, until a person has looked.
  app.onUnanswered(DeploymentRequested, async request => {
    const { status, reason } = request.event.unanswered
    const { orderId } = request.body
    if (status === 'RESOLVED') await giveUpOrder(request.tx, orderId, { status: 'FAILED', reason: 'cancelled by us' })
    else if (reason === 'REFUSED') await giveUpOrder(request.tx, orderId, { status: 'FAILED', reason: 'refused' })
    else await giveUpOrder(request.tx, orderId, { status: 'DELAYED', reason: 'not answered; somebody looks into it' })
  })
}
