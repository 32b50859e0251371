import { laneOf, type NewEvent } from '@steadfast/events'
import { type Db, type NewDelivery, writeEvents } from '@steadfast/store/internal'
import { differences } from '../differences.ts'
import { uuidAt } from '../event/world.ts'
import { Departure } from '../history-kind.ts'
import type { Connection, Lane } from '../lane.ts'
import { type Arriving, type Clock, emptyInbox, type InboxModel, type ModelDelivery } from './model.ts'

export interface LogEntry {
  eventId: string
  topic: string
  key: string
}

/** A handler whose transaction is open on the second connection. */
export interface Open {
  kind: 'fresh' | 'retry'
  arriving: Arriving
  commit(): void
}

/** A history on its way. */
export interface World {
  lane: Lane
  model: InboxModel
  log: LogEntry[]
  /** The offset of each consumer. */
  next: [number, number]
  now: number
  stepFrom: number
  open: Open | undefined
  /** Events that a person let run again after a refusal: their place in the order is given up. */
  outOfOrder: Set<string>
  /** What the log has forgotten, since retention forgot it in the inbox. */
  forgotten: Set<string>
  trail: string[]
}

/** The first is the service's own group: it answers and refuses. The second is another group of it. */
export const CONSUMERS = ['deploy', 'deploy.search'] as const
export const BODY = Buffer.from('{"n":1}')
export const TOPICS = ['requests', 'others']
export const KEYS = ['a', 'b']

export const clockOf = (world: World): Clock => ({
  now: world.now,
  real: { from: world.stepFrom - 1, to: Date.now() + 1 }
})
export const nowOf = (world: World): Date => new Date(world.now)
export const connection = (world: World, n: number): Connection => world.lane.connections[n] as Connection

export function newWorld(lane: Lane, trail: string[]): World {
  const now = Date.now()
  return {
    lane,
    model: emptyInbox(),
    log: [],
    next: [0, 0],
    now,
    stepFrom: now,
    open: undefined,
    outOfOrder: new Set(),
    forgotten: new Set(),
    trail
  }
}

export const consumerName = (n: number): string => CONSUMERS[n] ?? CONSUMERS[0]

/** Names a row of the inbox. */
export const placeOf = ({ consumer, eventId }: { consumer: string; eventId: string }): string =>
  `${consumer} ${eventId}`

/** An event of the log as a consumer sees it arrive. */
export const arriving = (consumer: number, { eventId, topic, key }: LogEntry): Arriving => ({
  consumer: consumerName(consumer),
  eventId,
  topic,
  key
})

export function newDelivery({ consumer, eventId, topic, key }: Arriving): NewDelivery {
  return {
    consumer,
    eventId,
    key,
    topic,
    position: '0:1',
    source: 'market',
    type: 'market.requested',
    replyTo: 'market.signals',
    causationId: null,
    correlationId: null,
    envelope: { id: eventId, source: 'market', type: 'market.requested', attempt: 1, replay: false, headers: {} }
  }
}

/** What a handler or a refusal of the own group writes. */
export async function writeCaused(
  world: World,
  db: Db,
  { consumer, eventId, key }: Arriving,
  type: string
): Promise<(() => void) | undefined> {
  if (consumer !== CONSUMERS[0]) return undefined
  const event: NewEvent = {
    id: uuidAt(Date.now()),
    source: 'deploy',
    type,
    topic: 'answers',
    key,
    lane: laneOf(key),
    dataVersion: null,
    payload: JSON.stringify({ eventId, consumer }),
    headers: {},
    maxSends: 1,
    awaitsFrom: null,
    awaitsReceipt: false,
    replyTo: null,
    confirmWithinMs: null,
    resendBackoff: null,
    giveUpAfterMs: null,
    causationId: eventId,
    correlationId: null,
    isAnswer: true
  }
  await writeEvents(db, [event])
  return () => void world.model.caused.push({ eventId, type, consumer, isAnswer: true })
}

/** The effect of a handler has been committed: first-seen order per topic and key must be that of the log. */
export function commitEffect(world: World, row: Arriving): void {
  const { consumer, eventId, topic, key } = row
  const place = (id: string) => world.log.findIndex(entry => entry.eventId === id)
  const overtaken = world.model.effects.find(
    e =>
      e.consumer === consumer &&
      e.topic === topic &&
      e.key === key &&
      !world.outOfOrder.has(placeOf(e)) &&
      place(e.eventId) > place(eventId)
  )
  if (overtaken !== undefined && !world.outOfOrder.has(placeOf({ consumer, eventId })))
    throw new Departure(`invariant 4: ${consumer} applied ${eventId} after ${overtaken.eventId}, which came later`)
  world.model.effects.push({ consumer, eventId, topic, key, replay: null })
}

interface Rows {
  deliveries: ({ consumer: string; event_id: string } & Record<keyof ModelDelivery['row'], unknown>)[]
  effects: string[]
  caused: string[]
  audit: string[]
}

const ms = (column: string) => `(extract(epoch from ${column}) * 1000)::float8 as ${column}`

async function readRows({ db, prepared }: Connection): Promise<Rows> {
  const s = db.schema
  const [rows] = await prepared<Rows>(
    'rows',
    `select (select coalesce(json_agg(i), '[]') from (select consumer, event_id, state, outcome, attempts, ${ms('due_at')}, body is not null as has_body,
         error->>'code' as error, replay_id, ${ms('updated_at')} from ${s}.inbox order by arrival) i) as deliveries,
       (select coalesce(json_agg(concat_ws(' ', consumer, event_id, replay)), '[]') from ${s}.effect) as effects,
       (select coalesce(json_agg(concat_ws(' ', causation_id, type, payload->>'consumer', is_answer)), '[]') from ${s}.event) as caused,
       (select coalesce(json_agg(concat_ws(' ', actor, action, event_id, consumer)), '[]') from ${s}.audit) as audit`
  )
  return rows as Rows
}

/** Compares everything with the model. */
export async function settle(world: World, found: string[] = []): Promise<void> {
  const { model } = world
  const rows = await readRows(connection(world, 0))
  const lists: [string, string[], string[]][] = [
    [
      'inbox, in order of arrival',
      rows.deliveries.map(d => `${d.consumer} ${d.event_id}`),
      model.deliveries.map(d => `${d.consumer} ${d.eventId}`)
    ],
    [
      'effects (invariant 2)',
      rows.effects.sort(),
      model.effects.map(e => [e.consumer, e.eventId, e.replay].filter(Boolean).join(' ')).sort()
    ],
    [
      'events caused',
      rows.caused.sort(),
      model.caused.map(c => `${c.eventId} ${c.type} ${c.consumer} ${c.isAnswer ? 't' : 'f'}`).sort()
    ],
    ['audit (invariant 14)', rows.audit.sort(), [...model.audit].sort()]
  ]
  for (const [what, have, want] of lists)
    if (have.join() !== want.join()) found.push(`${what}: [${have}], expected [${want}]`)
  if (found.length === 0)
    for (const [i, delivery] of model.deliveries.entries())
      found.push(...differences(`${delivery.consumer} ${delivery.eventId}`, delivery.row, rows.deliveries[i] ?? {}))
  if (found.length > 0) throw new Departure(found.join('\n'))
}

export const EFFECT_TABLE = (s: string): string =>
  `create table ${s}.effect (consumer text not null, event_id uuid not null, key text not null, replay uuid)`

/** The business row of a handler. */
export async function writeEffect(
  db: Db,
  { consumer, eventId, key }: Arriving,
  replay: string | null = null
): Promise<void> {
  await db.rows(`insert into ${db.schema}.effect values ($1, $2, $3, $4)`, [consumer, eventId, key, replay])
}
