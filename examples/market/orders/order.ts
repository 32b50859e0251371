import { DeploymentSucceeded, SleeperParameters, Uuid } from '@steadfast-examples/contracts'
import { type Static, Type } from 'typebox'

const { access } = DeploymentSucceeded.data.properties

/** Text that PostgreSQL can take: anything but NUL and half a surrogate pair. */
const Name = Type.String({ minLength: 1, maxLength: 100, pattern: '^[^\\u0000\\ud800-\\udfff]*$' })

/** What a customer may ask for. */
export const NewOrder = Type.Object(
  {
    product: Name,
    plan: Name,
    parameters: Type.Optional(SleeperParameters)
  },
  { additionalProperties: false }
)
export type NewOrder = Static<typeof NewOrder>

/** An order as customers see it. */
export const Order = Type.Object({
  id: Uuid,
  number: Type.String({ description: 'Counts up; decimal digits' }),
  product: Type.String(),
  plan: Type.String(),
  parameters: Type.Union([SleeperParameters, Type.Null()]),
  status: Type.Union([Type.Literal('PLACED'), Type.Literal('DELAYED'), Type.Literal('READY'), Type.Literal('FAILED')]),
  access: Type.Union([access, Type.Null()], { description: 'How to reach the product, once it is READY' }),
  reason: Type.Union([Type.String(), Type.Null()], { description: 'Why it FAILED, or is DELAYED' }),
  createdAt: Type.String({ format: 'date-time' }),
  finishedAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()])
})
export type Order = Static<typeof Order>

/** The columns of {@link Order}, under its names. */
export const ORDER_COLUMNS = `id, number, product, plan, parameters, status, access, reason, to_json(created_at) as "createdAt", to_json(finished_at) as "finishedAt"`

/** What all statements here need of a pool or a transaction. */
export interface Database {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}
