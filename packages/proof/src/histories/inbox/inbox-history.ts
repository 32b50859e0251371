import { setTimeout as sleep } from 'node:timers/promises'
import { claimReplay, claimRetry, findRunnable, purgeInbox } from '@steadfast/store/internal'
import { resultDifference } from '../differences.ts'
import { uuidAt } from '../event/world.ts'
import type { HistoryKind } from '../history-kind.ts'
import { type Connection, openLane } from '../lane.ts'
import { deliver, expectEnded, LONG_LOCK_MS, take, wouldWait } from './deliver.ts'
import { sendImpostor } from './impostor.ts'
import { isHeldOpen, lateVerb } from './late-verb.ts'
import type { Arriving, ModelDelivery } from './model.ts'
import * as expected from './model.ts'
import { inboxOperations, type Operation } from './operations.ts'
import { retryDelivery } from './retry-delivery.ts'
import { actOn, leave, look } from './unknown.ts'
import {
  arriving,
  CONSUMERS,
  clockOf,
  commitEffect,
  connection,
  consumerName,
  EFFECT_TABLE,
  KEYS,
  newWorld,
  nowOf,
  placeOf,
  settle,
  TOPICS,
  type World,
  writeEffect
} from './world.ts'

type Of<N extends Operation['op']> = Extract<Operation, { op: N }>

/** Two replays of each consumer, of all that ever arrives. */
const REPLAYS = CONSUMERS.map(consumer => ({ consumer, ids: [uuidAt(0), uuidAt(0)] }))
// As in the histories of events: how long the second one is given to reach the row of the first.
const MEET_MS = 3

/** The inbox of two consumer groups, with crashes, paused processes, late verbs and operators in any order. */
export const inboxHistory: HistoryKind<Operation> = {
  name: 'inbox',
  operations: inboxOperations,
  openLane: (url, schema) =>
    openLane(url, {
      schema,
      tables: ['inbox', 'event', 'audit', 'effect', 'replay', 'replay_item'],
      connections: 2,
      extra: EFFECT_TABLE
    }),
  async run(lane, operations, trail) {
    await lane.reset()
    const world = newWorld(lane, trail)
    await askForReplays(world)
    for (const operation of operations) {
      world.stepFrom = Date.now()
      await (steps[operation.op] as (world: World, operation: Operation) => unknown)(world, operation)
    }
  }
}

async function askForReplays(world: World): Promise<void> {
  const { client, db } = connection(world, 0)
  for (const { consumer, ids } of REPLAYS) {
    await client.query(
      `insert into ${db.schema}.replay (id, consumer, from_time, until_time, requested_by)
       select id, $1, '-infinity', 'infinity', 'ann' from unnest($2::uuid[]) as id`,
      [consumer, ids]
    )
  }
}

const at = (list: readonly ModelDelivery[], n: number): ModelDelivery | undefined => list[n % Math.max(1, list.length)]

/** The bounds of what a transaction writes that began in this step, at its end. */
function clockSince(world: World): () => expected.Clock {
  const { stepFrom } = world
  return () => ({ now: world.now, real: { from: stepFrom - 1, to: Date.now() + 1 } })
}

const steps: { [N in Operation['op']]: (world: World, op: Of<N>) => unknown } = {
  append(world, { topic, key }) {
    world.log.push({ eventId: uuidAt(Date.now()), topic: TOPICS[topic] ?? 'requests', key: KEYS[key] ?? 'a' })
  },

  async deliver(world, { consumer, again, quick, ending }) {
    const next = world.next[consumer as 0 | 1]
    const read = world.log.slice(0, next).filter(e => !world.forgotten.has(placeOf(arriving(consumer, e))))
    const entry = again === null ? world.log[next] : read[again % Math.max(1, read.length)]
    if (entry === undefined) return
    const row = arriving(consumer, entry)
    if (wouldWait(world, row)) return
    const done = await deliver(world, connection(world, 0), row, { quick, ending })
    if (done && again === null) world.next[consumer as 0 | 1]++
  },

  async begin(world, { consumer }) {
    const entry = world.log[world.next[consumer as 0 | 1]]
    if (world.open !== undefined || entry === undefined) return
    const row = arriving(consumer, entry)
    const here = connection(world, 1)
    const { taken, answers } = await take(world, here, row)
    world.trail.push(
      `${row.consumer} is handed ${row.eventId} (${row.topic}, key ${row.key}): ${taken}; its transaction stays open`
    )
    if (taken !== 'taken') {
      world.next[consumer as 0 | 1]++
      const wanted = expectEnded(world, row, taken)
      return settle(world, resultDifference('replayAnswers', wanted ?? null, answers ?? null))
    }
    await writeEffect(here.db, row)
    const order = world.model.nextOrder++
    const since = clockSince(world)
    world.open = {
      kind: 'fresh',
      arriving: row,
      commit() {
        expected.insert(world.model, { ...expected.arrived(world.model, row, {}, since()), order })
        commitEffect(world, row)
      }
    }
    await settle(world)
  },

  async beginRetry(world, { consumer, which }) {
    const row = at(expected.runnable(world.model, consumerName(consumer), 100, world.now), which)
    if (world.open !== undefined || row === undefined) return
    const here = connection(world, 1)
    await here.client.query('begin')
    const claimed = await claimRetry(here.db, { ...row, lockTimeoutMs: LONG_LOCK_MS }, nowOf(world))
    world.trail.push(`${row.consumer} takes up ${row.eventId}: ${claimed}; its transaction stays open`)
    await writeEffect(here.db, row)
    const since = clockSince(world)
    world.open = {
      kind: 'retry',
      arriving: row,
      commit() {
        expected.finish(row, 200, since())
        commitEffect(world, row)
      }
    }
    await settle(world, resultDifference(`claiming ${row.eventId}`, true, claimed))
  },

  async end(world, { end }) {
    if (world.open === undefined) return
    await endOpen(world, end)
    await settle(world)
  },

  async meet(world, { by, end }) {
    const { open } = world
    if (open === undefined) return
    const row = open.arriving
    if (by === 'deliver' && (open.kind !== 'fresh' || wouldWait(world, row))) return
    world.trail.push(`somebody (${by}) meets the open ${row.eventId}`)
    const here = connection(world, 0)
    const ended = (async () => {
      await sleep(MEET_MS)
      await endOpen(world, end)
    })()
    if (by === 'deliver') await Promise.all([ended, meetDelivery(world, here, row, ended)])
    else await Promise.all([ended, lateVerb(world, here, by, row, ended)])
  },

  async retry(world, { consumer, which, ending }) {
    const here = connection(world, 0)
    const name = consumerName(consumer)
    const want = expected.runnable(world.model, name, 3, world.now).map(d => d.eventId)
    const have = (await findRunnable(here.db, name, { limit: 3 }, nowOf(world))).map(d => d.eventId)
    const found = resultDifference('findRunnable', want, have)
    const row =
      want.length > 0
        ? expected.findDelivery(world.model, { consumer: name, eventId: want[which % want.length] ?? '' })
        : undefined
    world.trail.push(`${name} looks what may run: ${have.length}`)
    if (row === undefined || found.length > 0) return settle(world, found)
    await retryDelivery(world, here, row, ending)
  },

  async late(world, { verb, consumer, event }) {
    const known = world.model.deliveries.filter(d => d.consumer === consumerName(consumer))
    const row = at(known, event)
    if (row === undefined) return
    const waits =
      isHeldOpen(world, row) &&
      (verb === 'later' ||
        verb === 'hold' ||
        verb === 'refuse' ||
        verb === 'aside' ||
        (row.row.state === 'UNKNOWN' && (verb === 'release' || verb === 'reprocess')))
    if (!waits) await lateVerb(world, connection(world, 0), verb, row)
  },

  leave: (world, { consumer }) => leave(world, consumer),

  look: (world, { consumer, which, end }) => look(world, consumer, which, end),

  async lateLook(world, { consumer, event, end }) {
    const row = at(
      world.model.deliveries.filter(d => d.consumer === consumerName(consumer)),
      event
    )
    if (row !== undefined) await actOn(world, row, end)
  },

  async impostor(world, { consumer, event, by, other }) {
    const known = world.model.deliveries.filter(d => d.consumer === consumerName(consumer))
    const row = at(known, event)
    if (row !== undefined && !isHeldOpen(world, row)) await sendImpostor(world, connection(world, 0), row, by, other)
  },

  async reprocess(world, { which }) {
    const row = at(
      world.model.deliveries.filter(d => ['HELD', 'UNKNOWN', 'REFUSED'].includes(d.row.state)),
      which
    )
    if (row !== undefined && !isHeldOpen(world, row)) await lateVerb(world, connection(world, 0), 'reprocess', row)
  },

  async release(world, { which }) {
    const row = at(
      world.model.deliveries.filter(d => ['HELD', 'UNKNOWN'].includes(d.row.state)),
      which
    )
    if (row !== undefined && !isHeldOpen(world, row)) await lateVerb(world, connection(world, 0), 'release', row)
  },

  async replay(world, { consumer, event, replay }) {
    const row = at(
      world.model.deliveries.filter(d => d.consumer === consumerName(consumer)),
      event
    )
    const replayId = REPLAYS[consumer]?.ids[replay] ?? ''
    if (row === undefined || isHeldOpen(world, row)) return
    const { client, db } = connection(world, 0)
    await client.query('begin')
    const claimed = await claimReplay(db, { ...row, replayId })
    if (claimed) await writeEffect(db, row, replayId)
    await client.query('commit')
    world.trail.push(`replay ${replayId} comes to ${row.eventId}: ${claimed}`)
    const hadIt = world.model.effects.some(e => placeOf(e) === placeOf(row) && e.replay === replayId)
    const want = row.row.state === 'DONE' && !hadIt
    if (want) {
      Object.assign(row.row, { replay_id: replayId, updated_at: clockOf(world).real })
      world.model.effects.push({ ...row, replay: replayId })
    }
    await settle(world, resultDifference('claimReplay', want, claimed))
  },

  async purge(world, { olderThanMs, limit }) {
    const { db } = connection(world, 0)
    const { purged } = await purgeInbox(db, { olderThanMs, limit }, nowOf(world))
    const gone = expected.purge(world.model, olderThanMs, limit, clockOf(world))
    // The log forgets before the inbox does.
    for (const row of gone) world.forgotten.add(placeOf(row))
    world.trail.push(`retention of ${olderThanMs} ms, limit ${limit}: ${purged}`)
    await settle(world, resultDifference('purgeInbox', gone.length, purged))
  },

  advance(world, { ms }) {
    world.now += ms
    world.trail.push(`time advances by ${ms} ms`)
  }
}

async function endOpen(world: World, end: 'commit' | 'rollback'): Promise<void> {
  const { open } = world
  await connection(world, 1).client.query(end)
  world.trail.push(`the open transaction of ${open?.arriving.eventId} ends: ${end}`)
  world.open = undefined
  if (end === 'commit') open?.commit()
}

/** The same event handed to another process, which waits for the first. */
async function meetDelivery(world: World, here: Connection, row: Arriving, ended: Promise<void>): Promise<void> {
  const result = await take(world, here, row, LONG_LOCK_MS)
  await ended
  const known = expected.findDelivery(world.model, row)
  const want = known === undefined ? 'taken' : `duplicate ${known.row.state}`
  if (result.taken === 'taken') await here.client.query('rollback')
  world.trail.push(`  the other was told: ${result.taken}`)
  await settle(world, resultDifference(`the delivery of ${row.eventId}`, want, result.taken))
}
