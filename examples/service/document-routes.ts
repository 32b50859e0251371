import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import fp from 'fastify-plugin'

export interface DocumentRoutesOptions {
  title: string
  description: string
}

/** The OpenAPI page of all routes that are registered afterwards, from their schemas, at /docs. */
export const documentRoutes = fp<DocumentRoutesOptions>(
  async (app, { title, description }) => {
    await app.register(swagger, { openapi: { info: { title, description, version: '0.1.0' } } })
    await app.register(swaggerUi, { routePrefix: '/docs' })
  },
  { fastify: '5.x', name: 'document-routes' }
)
