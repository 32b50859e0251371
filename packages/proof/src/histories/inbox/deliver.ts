import {
  finishDelivery,
  getDelivery,
  receiveDelivery,
  refuseDelivery,
  replayAnswers,
  setAside,
  sqlStateOf
} from '@steadfast/store/internal'
import { resultDifference } from '../differences.ts'
import type { Connection } from '../lane.ts'
import type { Arriving } from './model.ts'
import * as expected from './model.ts'
import type { Ending } from './operations.ts'
import {
  BODY,
  clockOf,
  commitEffect,
  newDelivery,
  nowOf,
  settle,
  type World,
  writeCaused,
  writeEffect
} from './world.ts'

export const ERROR = { message: 'no', code: 'SF_TEST', status: 409 }
const RETRY_IN_MS = 1000
// For one that is to give up waiting; whoever is to wait long enough is given the other.
const SHORT_LOCK_MS = 2
export const LONG_LOCK_MS = 5000

/** What the inbox says when a delivery arrives: the handler may run, or why not. */
type Taken = 'taken' | 'locked' | 'blocked' | `duplicate ${expected.State}`

/** What it must say. */
function expectTaken(world: World, arriving: Arriving): Taken {
  const known = expected.findDelivery(world.model, arriving)
  if (known !== undefined) return `duplicate ${known.row.state}`
  if (expected.isKeyBusy(world.model, arriving)) return 'blocked'
  const { open } = world
  return open !== undefined && sameRow(open.arriving, arriving) ? 'locked' : 'taken'
}

export const sameRow = (a: Arriving, b: Arriving): boolean => a.consumer === b.consumer && a.eventId === b.eventId

/** Whether a delivery would wait for an open transaction without a bound of its own. */
export const wouldWait = ({ open, model }: World, arriving: Arriving): boolean =>
  open?.kind === 'fresh' && sameRow(open.arriving, arriving) && expected.isKeyBusy(model, arriving)

/**
 * The inbox's part before the handler, on a connection whose transaction it begins. `taken`: it stays open for the
 * handler; otherwise it has ended.
 */
export async function take(
  world: World,
  { client, db }: Connection,
  arriving: Arriving,
  lockMs = SHORT_LOCK_MS
): Promise<{ taken: Taken; answers: number | undefined }> {
  await client.query('begin')
  try {
    if (await receiveDelivery(db, newDelivery(arriving), lockMs)) return { taken: 'taken', answers: undefined }
    const known = await getDelivery(db, arriving.consumer, arriving.eventId)
    if (known === undefined) {
      const stored = await setAside(db, newDelivery(arriving), { state: 'BLOCKED', body: BODY }, nowOf(world))
      await client.query('commit')
      return { taken: stored ? 'blocked' : 'locked', answers: undefined }
    }
    const { state } = known
    const answers =
      state === 'DONE' || state === 'REFUSED'
        ? (await replayAnswers(db, { causationId: arriving.eventId, source: 'deploy', of: state })).answers
        : undefined
    await client.query('commit')
    return { taken: `duplicate ${state}`, answers }
  } catch (error) {
    await client.query('rollback')
    if (sqlStateOf(error) === '55P03') return { taken: 'locked', answers: undefined }
    throw error
  }
}

/** What the model makes of a delivery whose handler did not run. */
export function expectEnded(world: World, arriving: Arriving, taken: Taken): number | undefined {
  if (taken === 'blocked')
    expected.insert(world.model, expected.arrived(world.model, arriving, { state: 'BLOCKED' }, clockOf(world)))
  if (taken === 'duplicate DONE' || taken === 'duplicate REFUSED')
    return expected.answersOf(world.model, arriving.eventId, taken === 'duplicate DONE' ? 'DONE' : 'REFUSED')
  return undefined
}

/**
 * Runs a delivery as the inbox does: in one transaction with the handler; what is refused or fails is rolled back and
 * noted in another one. Answers whether the offset may advance.
 */
export async function deliver(
  world: World,
  at: Connection,
  arriving: Arriving,
  { quick, ending }: { quick: number; ending: Ending },
  lockMs?: number
): Promise<boolean> {
  const { model, trail } = world
  for (let run = 0; ; run++) {
    const order = model.nextOrder
    const { taken, answers } = await take(world, at, arriving, lockMs)
    const want = expectTaken(world, arriving)
    trail.push(`${arriving.consumer} is handed ${arriving.eventId} (${arriving.topic}, key ${arriving.key}): ${taken}`)
    const found = resultDifference(`the delivery of ${arriving.eventId}`, want, taken)
    if (taken !== 'taken' || found.length > 0) {
      const wanted = expectEnded(world, arriving, taken)
      await settle(world, [...found, ...resultDifference('replayAnswers', wanted ?? null, answers ?? null)])
      return taken !== 'locked'
    }
    await writeEffect(at.db, arriving)
    if (run < quick) {
      await at.client.query('rollback')
      model.nextOrder = Math.max(order, model.nextOrder)
      trail.push('  its handler fails: rolled back, and at once again')
      continue
    }
    await end(world, at, arriving, ending)
    await settle(world)
    return ending !== 'crashed'
  }
}

async function end(world: World, at: Connection, arriving: Arriving, ending: Ending): Promise<void> {
  const { model, trail } = world
  const { client, db } = at
  trail.push(`  its handler: ${ending}`)
  if (ending === 'handled' || ending === 'accepted') {
    const note = ending === 'handled' ? await writeCaused(world, db, arriving, 'deploy.answered') : undefined
    const outcome = ending === 'accepted' ? 202 : 200
    if (outcome !== 200) await finishDelivery(db, arriving.consumer, arriving.eventId, outcome)
    await client.query('commit')
    expected.insert(model, expected.arrived(model, arriving, { outcome }, clockOf(world)))
    note?.()
    return commitEffect(world, arriving)
  }
  await client.query('rollback')
  if (ending === 'refused') await refuse(world, at, arriving)
  if (ending === 'failed') {
    await setAside(
      db,
      newDelivery(arriving),
      { state: 'RETRY', dueInMs: RETRY_IN_MS, attempts: 1, error: ERROR, body: BODY },
      nowOf(world)
    )
    const row = { state: 'RETRY', attempts: 1, due_at: world.now + RETRY_IN_MS, error: ERROR.code } as const
    expected.insert(model, expected.arrived(model, arriving, row, clockOf(world)))
  }
}

/** A verdict, with the signal to the sender, in one transaction. `after`: whose end it waits for. */
export async function refuse(
  world: World,
  { client, db }: Connection,
  arriving: Arriving,
  after?: Promise<void>
): Promise<void> {
  await client.query('begin')
  const stored = await refuseDelivery(db, newDelivery(arriving), { body: BODY, outcome: 409, error: ERROR })
  const note = stored ? await writeCaused(world, db, arriving, 'steadfast.refused') : undefined
  await client.query('commit')
  await after
  note?.()
  const want = expected.refuse(world.model, arriving, 409, ERROR.code, clockOf(world))
  await settle(world, resultDifference(`the refusal of ${arriving.eventId}`, want, stored))
}
