import {
  claimRetry,
  type Db,
  holdDelivery,
  releaseDelivery,
  reprocessDelivery,
  retryLater,
  setAside
} from '@steadfast/store/internal'
import { resultDifference } from '../differences.ts'
import type { Connection } from '../lane.ts'
import { ERROR, LONG_LOCK_MS, refuse, sameRow } from './deliver.ts'
import type { Arriving, ModelDelivery } from './model.ts'
import * as expected from './model.ts'
import type { Operation } from './operations.ts'
import { BODY, clockOf, newDelivery, nowOf, placeOf, settle, type World } from './world.ts'

type LateVerb = Extract<Operation, { op: 'late' }>['verb']

const LATER_MS = 2000

/** Whether a row is in the hands of the open transaction. */
export const isHeldOpen = ({ open }: World, row: Arriving) => open !== undefined && sameRow(open.arriving, row)

/** What each of the verbs answers, and what it must. */
const verbs: {
  [N in LateVerb]: (
    world: World,
    db: Db,
    row: Arriving
  ) => { run(): Promise<unknown>; expect(known: ModelDelivery | undefined): unknown }
} = {
  claim: (world, db, row) => ({
    run: () => claimRetry(db, { ...row, lockTimeoutMs: LONG_LOCK_MS }, nowOf(world)),
    expect: known => known !== undefined && expected.mayRun(world.model, known, world.now) && !isHeldOpen(world, row)
  }),
  later: (world, db, row) => ({
    run: () => retryLater(db, { ...row, attempts: 2, dueInMs: LATER_MS, error: ERROR }, nowOf(world)),
    expect: known => expected.retryLater(known, 2, LATER_MS, ERROR.code, clockOf(world))
  }),
  hold: (world, db, row) => ({
    run: () => holdDelivery(db, { ...row, attempts: 3, outcome: 500, error: ERROR }),
    expect: known => expected.hold(known, 3, 500, ERROR.code, clockOf(world))
  }),
  refuse: () => ({ run: async () => undefined, expect: () => undefined }),
  aside: (world, db, row) => ({
    run: () => setAside(db, newDelivery(row), { state: 'BLOCKED', body: BODY }, nowOf(world)),
    expect: known => known === undefined
  }),
  release: (world, db, row) => ({
    run: async () => (await releaseDelivery(db, { ...row, actor: 'ann', error: ERROR }))?.eventId,
    expect: known =>
      expected.release(world.model, known, ERROR.status, ERROR.code, clockOf(world)) ? row.eventId : undefined
  }),
  reprocess: (world, db, row) => ({
    run: () => reprocessDelivery(db, { ...row, actor: 'ann' }, nowOf(world)),
    expect(known) {
      if (known?.row.state === 'REFUSED') world.outOfOrder.add(placeOf(row))
      return expected.reprocess(world.model, known, clockOf(world))
    }
  })
}

/** A verb in a transaction of its own; one that claims is rolled back, as by a crash. `after`: what it waits for. */
export async function lateVerb(
  world: World,
  here: Connection,
  verb: LateVerb,
  row: Arriving,
  after?: Promise<void>
): Promise<void> {
  if (verb === 'refuse') return lateRefusal(world, here, row, after)
  const { client, db } = here
  const { run, expect } = verbs[verb](world, db, row)
  await client.query('begin')
  const answer = await run()
  await client.query(verb === 'claim' ? 'rollback' : 'commit')
  await after
  world.trail.push(`${verb} of ${row.eventId} at ${row.consumer} → ${answer}`)
  const want = expect(expected.findDelivery(world.model, row))
  await settle(world, resultDifference(`${verb} of ${row.eventId}`, want ?? null, answer ?? null))
}

async function lateRefusal(world: World, here: Connection, row: Arriving, after?: Promise<void>): Promise<void> {
  world.trail.push(`refusal of ${row.eventId} at ${row.consumer}`)
  await refuse(world, here, row, after)
}
