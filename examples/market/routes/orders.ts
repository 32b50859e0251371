import { createError } from '@fastify/error'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { DeploymentRequested, PRODUCTS, Uuid } from '@steadfast-examples/contracts'
import { Type } from 'typebox'
import { getOrder } from '../orders/get-order.ts'
import { insertOrder } from '../orders/insert-order.ts'
import { listOrders } from '../orders/list-orders.ts'
import { NewOrder, Order } from '../orders/order.ts'

const UnknownProduct = createError('MARKET_PRODUCT_UNKNOWN', 'There is no product %s', 400)
const UnknownOrder = createError('MARKET_ORDER_UNKNOWN', 'There is no order %s', 404)

const Page = Type.Object({
  orders: Type.Array(Order),
  next: Type.Optional(Type.String({ description: 'Pass as `before` for the next page; absent on the last' }))
})
const PAGE_SIZE = 50
const PageQuery = Type.Object({
  before: Type.Optional(Type.String({ pattern: '^[0-9]{1,18}$' })),
  status: Type.Optional(Order.properties.status),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: PAGE_SIZE }))
})
const ById = Type.Object({ id: Uuid })
const IdempotencyHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({ description: 'The same key is the same order, however often it is sent' })
  )
})

export const orders: FastifyPluginAsyncTypebox = async app => {
  app.post(
    '/orders',
    {
      transaction: true,
      idempotencyKey: true,
      schema: { tags: ['orders'], headers: IdempotencyHeaders, body: NewOrder, response: { 202: Order } }
    },
    async (request, reply) => {
      const { product, plan, parameters } = request.body
      if (!PRODUCTS.some(({ name }) => name === product)) throw new UnknownProduct(product)
      const order = await insertOrder(request.tx, request.body)
      await reply.sendEvent(DeploymentRequested, {
        orderId: order.id,
        product,
        plan,
        ...(parameters === undefined ? {} : { parameters })
      })
      return reply.code(202).send(order)
    }
  )

  app.get('/orders/:id', { schema: { tags: ['orders'], params: ById, response: { 200: Order } } }, async request => {
    const order = await getOrder(app.pg, request.params.id)
    if (order === undefined) throw new UnknownOrder(request.params.id)
    return order
  })

  app.get(
    '/orders',
    { schema: { tags: ['orders'], querystring: PageQuery, response: { 200: Page } } },
    async request => {
      const { limit = PAGE_SIZE, ...filter } = request.query
      const page = await listOrders(app.pg, { ...filter, limit })
      const last = page.at(-1)
      return { orders: page, ...(page.length < limit || !last ? {} : { next: last.number }) }
    }
  )
}
