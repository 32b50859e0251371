import { setTimeout as sleep } from 'node:timers/promises'
import { writeEvents } from '@steadfast/store/internal'
import { resultDifference } from '../differences.ts'
import { Departure, type HistoryKind } from '../history-kind.ts'
import { type Connection, type Lane, openLane } from '../lane.ts'
import { brokenInvariants } from './invariants.ts'
import { appear, type EventModel, type ModelEvent } from './model.ts'
import { eventOperations, type Operation, type Statement } from './operations.ts'
import { compareRows, type EventRow, readRows } from './rows.ts'
import { planStatement, type Step } from './statements.ts'
import { clockOf, drafted, GIVE_UP_AFTER_MS, newWorld, type World } from './world.ts'

interface Run {
  world: World
  lane: Lane
  rows: EventRow[]
  /** Every event there ever was. */
  known: Map<string, ModelEvent>
  trail: string[]
}

// How long the second of two overlapping statements is given to reach the rows of the first. Not a condition: should
// it be too short, the two run one after the other.
const OVERLAP_MS = 3

/** The state machine of the outbox, with relays, sweepers, consumers' signals and operators in any order. */
export const eventHistory: HistoryKind<Operation> = {
  name: 'event',
  operations: eventOperations,
  openLane: (url, schema) => openLane(url, { schema, tables: ['event', 'audit'], connections: 3 }),
  async run(lane, operations, trail) {
    await lane.reset()
    const run: Run = { world: newWorld(), lane, rows: [], known: new Map(), trail }
    for (const operation of operations) {
      run.world.stepFrom = Date.now()
      await perform(run, operation)
    }
  }
}

async function perform(run: Run, operation: Operation): Promise<void> {
  const { world, lane, trail } = run
  const [first, second] = lane.connections as [Connection, Connection]
  switch (operation.op) {
    case 'advance':
      return advance(world, operation, trail)
    case 'open':
      return open(run, operation)
    case 'close':
      return close(run, operation)
    case 'lose':
      world.relays[operation.relay]?.splice(0, operation.count)
      trail.push(`relay ${operation.relay} hears nothing of ${operation.count} sends`)
      return
    case 'overlap':
      return overlap(run, operation, first, second)
    default: {
      const step = planStatement(world, operation)
      if (step === undefined) return
      const undone = operation.op === 'write' && operation.end === 'rollback'
      return undone ? rollBack(run, step, first) : single(run, step, first)
    }
  }
}

function advance(world: World, { to, event }: Extract<Operation, { op: 'advance' }>, trail: string[]): void {
  const column = to === 'give up' ? 'give_up_at' : 'deadline'
  const times = world.model.events.map(e => e.row[column]).filter(time => typeof time === 'number')
  const time = times[event % Math.max(1, times.length)]
  if (to === 'a little') world.now += 50
  else if (to === 'far') world.now += 20_000
  else if (to === 'too far') world.now += GIVE_UP_AFTER_MS
  else if (time !== undefined) world.now = Math.max(world.now, to === 'deadline' ? Math.ceil(time) : Math.floor(time))
  trail.push(`time advances to ${to}: ${world.now}`)
}

/** What the tables may be after a step, and what of the answers did not fit. */
interface Outcome {
  model: EventModel
  found: string[]
}

const json = (value: unknown): unknown => value ?? null

async function single(run: Run, step: Step, { db }: Connection): Promise<void> {
  const { world, trail } = run
  const answer = await step.run(db)
  trail.push(`${step.title} → ${JSON.stringify(answer)}`)
  const expected = step.expect(world.model, clockOf(world), [])
  step.remember?.(world, answer)
  await settle(run, 1, [{ model: world.model, found: resultDifference(step.title, json(expected), json(answer)) }])
}

async function rollBack(run: Run, step: Step, { client, db }: Connection): Promise<void> {
  await client.query('begin')
  await step.run(db)
  await client.query('rollback')
  run.trail.push(`${step.title}, rolled back`)
  await settle(run, 1, [{ model: run.world.model, found: [] }])
}

/** Writes in a transaction that stays open while others work: what it wrote has lower numbers than what they commit. */
async function open({ world, lane, trail }: Run, { drafts }: Extract<Operation, { op: 'open' }>): Promise<void> {
  const [, , third] = lane.connections
  if (world.open || third === undefined) return
  const made = drafts.map(drafted)
  await third.client.query('begin')
  await writeEvents(
    third.db,
    made.map(({ event }) => event)
  )
  world.open = true
  world.model.pending = made.map(({ expected }) => expected(world.model.nextOrder++, clockOf(world)))
  trail.push(`write ${made.map(({ event }) => event.id)} in a transaction that stays open`)
}

async function close(run: Run, { end }: Extract<Operation, { op: 'close' }>): Promise<void> {
  const { world, lane, trail } = run
  if (!world.open) return
  await lane.connections[2]?.client.query(end)
  world.open = false
  if (end === 'commit') appear(world.model, world.model.pending)
  world.model.pending = []
  trail.push(`the open transaction ends: ${end}`)
  await settle(run, 1, [{ model: world.model, found: [] }])
}

/**
 * Runs the second statement while the first one's transaction is still open, then ends that. Whatever the database made
 * of it must be what one of the two orders gives.
 */
async function overlap(
  run: Run,
  operation: Extract<Operation, { op: 'overlap' }>,
  one: Connection,
  other: Connection
): Promise<void> {
  const { world, trail } = run
  const { end } = operation
  const [a, b] = aboutLate(run, operation)
  const [first, second] = [planStatement(world, a), planStatement(world, b)]
  if (first === undefined || second === undefined) return
  await one.client.query('begin')
  const firstAnswer = await first.run(one.db)
  const running = second.run(other.db)
  running.catch(() => {})
  await Promise.race([running, sleep(OVERLAP_MS)])
  await one.client.query(end)
  const secondAnswer = await running
  trail.push(
    `in a transaction: ${first.title} → ${JSON.stringify(firstAnswer)}`,
    `  meanwhile: ${second.title} → ${JSON.stringify(secondAnswer)}`,
    `  the transaction ends: ${end}`
  )
  const outcomes = serialOutcomes(world, [first, firstAnswer], [second, secondAnswer], end)
  if (a.op === 'sweep' && b.op === 'sweep')
    outcomes.push(...serialOutcomes(world, [first, firstAnswer], [idleSweep(second), secondAnswer], end))
  first.remember?.(world, firstAnswer)
  second.remember?.(world, secondAnswer)
  await settle(run, 2, outcomes)
}

/** Lets the deadline of an event that was published and not answered pass, and makes both statements about that. */
function aboutLate(
  { world, trail }: Run,
  { first, second, late }: Extract<Operation, { op: 'overlap' }>
): [Statement, Statement] {
  const published = world.model.events.filter(
    ({ row }) => row.status === 'PUBLISHED' && typeof row.deadline === 'number'
  )
  const chosen = late === null ? undefined : published[late % Math.max(1, published.length)]
  if (chosen === undefined) return [first, second]
  world.now = Math.max(world.now, Math.ceil(chosen.row.deadline as number))
  trail.push(`time advances to the deadline of ${chosen.id}: ${world.now}`)
  const event = world.model.events.indexOf(chosen)
  const about = (statement: Statement): Statement => ('event' in statement ? { ...statement, event } : statement)
  return [about(first), about(second)]
}

/** A sweep that meets another does nothing. */
const idleSweep = (step: Step): Step => ({ ...step, expect: () => ({ resent: [], parked: [] }) })

function serialOutcomes(
  world: World,
  [first, firstAnswer]: [Step, unknown],
  [second, secondAnswer]: [Step, unknown],
  end: 'commit' | 'rollback'
): Outcome[] {
  const clock = clockOf(world)
  const before = structuredClone(world.model)
  first.expect(before, clock, [])
  const locked = lockedBy(world.model, before, first)
  const orders = second.skipsLocked ? [[], locked] : [[]]
  return orders.flatMap(passedOver =>
    [true, false].map(firstFirst => {
      const model = structuredClone(world.model)
      const found: string[] = []
      const doFirst = (target: EventModel) =>
        found.push(...resultDifference(first.title, json(first.expect(target, clock, [])), json(firstAnswer)))
      const doSecond = () => {
        const want = json(second.expect(model, clock, passedOver))
        if (second.meanwhile?.[String(want)] === secondAnswer) return
        found.push(...resultDifference(second.title, want, json(secondAnswer)))
      }
      if (end === 'rollback') {
        doFirst(structuredClone(world.model))
        doSecond()
      } else if (firstFirst) {
        doFirst(model)
        doSecond()
      } else {
        doSecond()
        doFirst(model)
      }
      return { model, found }
    })
  )
}

/** Rows that a step has in its hands until its transaction ends. */
function lockedBy(before: EventModel, after: EventModel, step: Step): string[] {
  const changed = before.events.filter(e => {
    const same = after.events.find(({ id }) => id === e.id)
    return same === undefined || JSON.stringify(same.row) !== JSON.stringify(e.row)
  })
  return [...changed.map(({ id }) => id), ...(step.locks === undefined ? [] : [step.locks])]
}

/** Reads the rows and takes the first outcome they agree with. */
async function settle(run: Run, statements: number, outcomes: Outcome[]): Promise<void> {
  const { world, lane } = run
  const { events, audit } = await readRows(lane.connections[0] as Connection)
  const broken = brokenInvariants(run.rows, events, {
    statements,
    known: run.known,
    acknowledged: world.acknowledged,
    now: world.now
  })
  const judged = outcomes.map(({ model, found }) => ({
    model,
    found: [...found, ...compareRows(model, { events, audit })]
  }))
  const agreed = judged.find(({ found }) => found.length === 0)
  if (broken.length > 0 || agreed === undefined) {
    const closest = judged.toSorted((a, b) => a.found.length - b.found.length)[0]
    throw new Departure([...broken, ...(agreed ? [] : (closest?.found ?? []))].join('\n'))
  }
  world.model = agreed.model
  for (const event of world.model.events) run.known.set(event.id, event)
  run.rows = events
}
