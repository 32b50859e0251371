import { claimRetry, finishDelivery } from '@steadfast/store/internal'
import { resultDifference } from '../differences.ts'
import type { Connection } from '../lane.ts'
import { LONG_LOCK_MS, refuse } from './deliver.ts'
import { isHeldOpen, lateVerb } from './late-verb.ts'
import type { ModelDelivery } from './model.ts'
import * as expected from './model.ts'
import type { Operation } from './operations.ts'
import { clockOf, commitEffect, nowOf, settle, type World, writeCaused, writeEffect } from './world.ts'

type Ending = Extract<Operation, { op: 'retry' }>['ending']

/** A delivery whose time has come is taken up again, and ends in one of the ways there are. */
export async function retryDelivery(world: World, here: Connection, row: ModelDelivery, ending: Ending): Promise<void> {
  const { client, db } = here
  await client.query('begin')
  const claimed = await claimRetry(db, { ...row, lockTimeoutMs: LONG_LOCK_MS }, nowOf(world))
  world.trail.push(`${row.consumer} takes up ${row.eventId} (${row.topic}, key ${row.key}): ${claimed}; ${ending}`)
  const want = !isHeldOpen(world, row)
  if (!claimed || !want) {
    await client.query('rollback')
    return settle(world, resultDifference(`claiming ${row.eventId}`, want, claimed))
  }
  await writeEffect(db, row)
  if (ending === 'handled' || ending === 'accepted') {
    const note = ending === 'handled' ? await writeCaused(world, db, row, 'deploy.answered') : undefined
    const outcome = ending === 'accepted' ? 202 : 200
    if (outcome !== 200) await finishDelivery(db, row.consumer, row.eventId, outcome)
    await client.query('commit')
    expected.finish(row, outcome, clockOf(world))
    note?.()
    commitEffect(world, row)
    return settle(world)
  }
  await client.query('rollback')
  if (ending === 'refused') await refuse(world, here, row)
  if (ending === 'failed') await lateVerb(world, here, 'later', row)
  if (ending === 'held') await lateVerb(world, here, 'hold', row)
  await settle(world)
}
