import type { EventData } from '@steadfast/events'
import type { DeploymentRequested } from '@steadfast-examples/contracts'
import type { Database } from './deployment.ts'

/**
 * Stores what shall be done under the id of the event that asks for it; the worker does it. A sleeper is due when it
 * has slept, everything else at once. What was accepted before stays as it is: a person may have events run again.
 */
export async function acceptDeployment(
  tx: Database,
  { orderId, product, plan, parameters = {} }: EventData<typeof DeploymentRequested>,
  { eventId, progressEveryMs }: { eventId: string; progressEveryMs: number }
): Promise<void> {
  const sleepMs = product === 'sleeper' && plan === 'simulated' ? (parameters.durationMs ?? 1000) : undefined
  await tx.query(
    `insert into deployment (id, order_id, product, plan, parameters, step, due_at, progress_at)
     values ($1, $2, $3, $4, $5, $6, clock_timestamp() + $7 * interval '1 ms', clock_timestamp() + $8 * interval '1 ms')
     on conflict (id) do nothing`,
    [
      eventId,
      orderId,
      product,
      plan,
      parameters,
      sleepMs === undefined ? 'check' : 'sleep',
      sleepMs ?? 0,
      progressEveryMs
    ]
  )
}
