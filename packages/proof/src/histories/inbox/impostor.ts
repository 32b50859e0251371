import {
  type Db,
  findKnown,
  type NewDelivery,
  receiveDelivery,
  refuseDelivery,
  setAside
} from '@steadfast/store/internal'
import { resultDifference } from '../differences.ts'
import type { Connection } from '../lane.ts'
import { ERROR, LONG_LOCK_MS } from './deliver.ts'
import type { ModelDelivery } from './model.ts'
import type { Operation } from './operations.ts'
import { BODY, newDelivery, settle, type World } from './world.ts'

type Impostor = Extract<Operation, { op: 'impostor' }>

const attempts: { [N in Impostor['by']]: (db: Db, delivery: NewDelivery) => Promise<boolean> } = {
  receive: (db, delivery) => receiveDelivery(db, delivery, LONG_LOCK_MS),
  refuse: (db, delivery) => refuseDelivery(db, delivery, { body: BODY, outcome: 404, error: ERROR }),
  aside: (db, delivery) => setAside(db, delivery, { state: 'BLOCKED', body: BODY })
}

/** A delivery that has the id of another event, with another source, type or topic. */
export async function sendImpostor(
  world: World,
  { client, db }: Connection,
  row: ModelDelivery,
  by: Impostor['by'],
  other: Impostor['other']
): Promise<void> {
  const delivery = { ...newDelivery(row), [other]: 'impostor' }
  await client.query('begin')
  const stored = await attempts[by](db, delivery)
  await client.query('commit')
  const { fit } = await findKnown(db, delivery)
  world.trail.push(`an impostor (another ${other}) of ${row.eventId} at ${row.consumer}, ${by} → ${stored}, ${fit}`)
  const found = resultDifference(`${by} of an impostor of ${row.eventId}`, false, stored)
  // What nobody knows, nobody has vouched for.
  const want = other === 'source' || row.row.state === 'UNKNOWN' ? 'other' : 'reused'
  await settle(world, [...found, ...resultDifference(`what is known of an impostor of ${row.eventId}`, want, fit)])
}
