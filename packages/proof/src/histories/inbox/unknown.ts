import { endIgnored, findRunnable, leaveUnknown, refuseDelivery, turnUnknown } from '@steadfast/store/internal'
import { resultDifference } from '../differences.ts'
import { ERROR, wouldWait } from './deliver.ts'
import { isHeldOpen } from './late-verb.ts'
import * as expected from './model.ts'
import { arriving, BODY, clockOf, connection, consumerName, newDelivery, nowOf, settle, type World } from './world.ts'

const PATIENCE_MS = 5000
const NOTHING = { types: [], versions: [], patienceMs: PATIENCE_MS }

/** A process that does not know the type is handed the next event of the log. */
export async function leave(world: World, consumer: number): Promise<void> {
  const entry = world.log[world.next[consumer as 0 | 1]]
  if (entry === undefined) return
  const row = arriving(consumer, entry)
  if (wouldWait(world, row) || isHeldOpen(world, row)) return
  const { db } = connection(world, 0)
  const left = { body: BODY, patienceMs: PATIENCE_MS, error: ERROR }
  const stored = await leaveUnknown(db, newDelivery(row), left, nowOf(world))
  world.trail.push(
    `${row.consumer} leaves ${row.eventId} (${row.topic}, key ${row.key}), which it does not know: ${stored}`
  )
  world.next[consumer as 0 | 1]++
  const want = expected.leave(world.model, row, PATIENCE_MS, ERROR.code, clockOf(world))
  await settle(world, resultDifference('leaveUnknown', want, stored))
}

/** A process that knows no type looks what may be done, and does it to one of them. */
export async function look(world: World, consumer: number, which: number, end: 'refuse' | 'ignore'): Promise<void> {
  const name = consumerName(consumer)
  const { db } = connection(world, 0)
  const want = expected.left(world.model, name, PATIENCE_MS, world.now).map(d => d.eventId)
  const have = (await findRunnable(db, name, { limit: 100, known: NOTHING }, nowOf(world))).map(d => d.eventId)
  world.trail.push(`${name}, which knows no type, looks what may be done: ${have.length}`)
  await settle(world, resultDifference('findRunnable of what is not known', want, have))
  const row = expected.findDelivery(world.model, {
    consumer: name,
    eventId: want[which % Math.max(1, want.length)] ?? ''
  })
  if (row !== undefined) await actOn(world, row, end)
}

/** Whatever the state of a row: each of the verbs must find by itself whether it may. */
export async function actOn(
  world: World,
  row: expected.ModelDelivery,
  end: 'turn' | 'refuse' | 'ignore'
): Promise<void> {
  const { db } = connection(world, 0)
  const { consumer, eventId } = row
  const held = isHeldOpen(world, row)
  if (row.row.state !== 'UNKNOWN' || end === 'turn') {
    const turned = await turnUnknown(db, { consumer, eventId, patienceMs: PATIENCE_MS, error: ERROR }, nowOf(world))
    world.trail.push(`${eventId} begins to wait for a process that knows it: ${turned}`)
    const want = !held && expected.turn(row, PATIENCE_MS, ERROR.code, clockOf(world))
    return settle(world, resultDifference('turnUnknown', want, turned))
  }
  if (held) return
  const givenUp = expected.isGivenUp(row, world.now)
  if (end === 'ignore') {
    const ended = await endIgnored(db, consumer, eventId, nowOf(world))
    world.trail.push(`${eventId} ends as ignored: ${ended}`)
    if (givenUp) expected.finish(row, 204, clockOf(world))
    return settle(world, resultDifference('endIgnored', givenUp, ended))
  }
  const refusal = { body: BODY, outcome: 404, error: ERROR, expired: true }
  const refused = await refuseDelivery(db, newDelivery(row), refusal, nowOf(world))
  world.trail.push(`${eventId} is refused, as nobody knew it: ${refused}`)
  if (givenUp) expected.refuse(world.model, row, 404, ERROR.code, clockOf(world))
  await settle(world, resultDifference('the refusal of what nobody knew', givenUp, refused))
}
