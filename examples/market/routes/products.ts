import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { PRODUCTS, ProductSchema } from '@steadfast-examples/contracts'
import { Type } from 'typebox'

export const products: FastifyPluginAsyncTypebox = async app => {
  const schema = { tags: ['products'], response: { 200: Type.Object({ products: Type.Array(ProductSchema) }) } }
  app.get('/products', { schema }, async () => ({ products: [...PRODUCTS] }))
}
