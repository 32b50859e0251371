import { createError } from '@fastify/error'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Uuid } from '@steadfast-examples/contracts'
import { Type } from 'typebox'
import { Deployment } from '../deployments/deployment.ts'
import { getDeployment } from '../deployments/get-deployment.ts'
import { listDeployments } from '../deployments/list-deployments.ts'

const UnknownDeployment = createError('DEPLOY_DEPLOYMENT_UNKNOWN', 'There is no deployment %s', 404)

const Page = Type.Object({
  deployments: Type.Array(Deployment),
  next: Type.Optional(Type.String({ description: 'Pass as `before` for the next page; absent on the last' }))
})
const PAGE_SIZE = 50
const PageQuery = Type.Object({
  before: Type.Optional(Uuid),
  status: Type.Optional(Deployment.properties.status),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: PAGE_SIZE }))
})

export const deployments: FastifyPluginAsyncTypebox = async app => {
  const tags = ['deployments']

  app.get(
    '/deployments/:id',
    { schema: { tags, params: Type.Object({ id: Uuid }), response: { 200: Deployment } } },
    async request => {
      const deployment = await getDeployment(app.pg, request.params.id)
      if (deployment === undefined) throw new UnknownDeployment(request.params.id)
      return deployment
    }
  )

  app.get('/deployments', { schema: { tags, querystring: PageQuery, response: { 200: Page } } }, async request => {
    const { limit = PAGE_SIZE, ...filter } = request.query
    const page = await listDeployments(app.pg, { ...filter, limit })
    const last = page.at(-1)
    return { deployments: page, ...(page.length < limit || !last ? {} : { next: last.id }) }
  })
}
