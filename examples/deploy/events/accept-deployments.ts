import { DeploymentRequested } from '@steadfast-examples/contracts'
import type { FastifyPluginAsync } from 'fastify'
import { acceptDeployment } from '../deployments/accept-deployment.ts'

/** Accepts fast; the worker does the slow part and answers. */
export const acceptDeployments: FastifyPluginAsync<{ progressEveryMs: number }> = async (app, { progressEveryMs }) => {
  app.onEvent(DeploymentRequested, async (request, reply) => {
    await acceptDeployment(request.tx, request.body, { eventId: request.event.id, progressEveryMs })
    return reply.code(202).send()
  })
}
