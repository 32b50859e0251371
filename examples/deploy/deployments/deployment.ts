import { DeploymentSucceeded, Uuid } from '@steadfast-examples/contracts'
import { type Static, Type } from 'typebox'

const { access } = DeploymentSucceeded.data.properties

/** A deployment as the routes show it. */
export const Deployment = Type.Object({
  id: Uuid,
  orderId: Uuid,
  product: Type.String(),
  plan: Type.String(),
  parameters: Type.Record(Type.String(), Type.Unknown()),
  status: Type.Union([Type.Literal('WORKING'), Type.Literal('READY'), Type.Literal('FAILED')]),
  step: Type.String({ description: 'The step at hand, or the last one' }),
  attempts: Type.Integer({ description: 'Failed attempts of this step' }),
  lastError: Type.Union([Type.String(), Type.Null()]),
  access: Type.Union([access, Type.Null()]),
  reason: Type.Union([Type.String(), Type.Null()], { description: 'Why it FAILED' }),
  createdAt: Type.String({ format: 'date-time' }),
  finishedAt: Type.Union([Type.String({ format: 'date-time' }), Type.Null()])
})
export type Deployment = Static<typeof Deployment>

/** The columns of {@link Deployment}, under its names. */
export const DEPLOYMENT_COLUMNS = `id, order_id as "orderId", product, plan, parameters, status, step, attempts, last_error as "lastError",
  access, reason, to_json(created_at) as "createdAt", to_json(finished_at) as "finishedAt"`

/** What all statements here need of a pool or a transaction. */
export interface Database {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}
