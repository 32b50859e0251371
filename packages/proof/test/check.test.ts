import { createHash } from 'node:crypto'
import t from 'tap'
import { check, describeViolations } from '../src/check/check.ts'
import type { AuditRow, EventRow, Evidence, InboxRow, Transition } from '../src/check/evidence.ts'
import { FORBIDDEN_TOPIC, MISSING_TOPIC, OWN_TAG } from '../src/check/look-up.ts'
import { ANSWER, eventRow, healthy, inboxRow, logRecord, NOTES, ORDER, REQUEST, START } from './check-evidence.ts'

// Each invariant goes red on what breaks it, and none is red without.

const market = (e: Evidence, id: string) => e.market.events.find(event => event.id === id) as EventRow
const reply = (e: Evidence, id: string) => e.deploy.events.find(event => event.id === id) as EventRow
/** A poison record and its row. */
function poisonAt(e: Evidence, offset: string, row: Partial<InboxRow>): void {
  const ghost = eventRow({ id: `ghost-${offset}`, type: 'x', key: 'k' })
  e.log.push(logRecord(ghost, { topic: 'requests', partition: 1, offset }))
  e.journal.push({ at: START, kind: 'poison', topic: 'requests', key: 'k', what: 'bad JSON' })
  e.deploy.inbox.push(inboxRow('deploy', ghost, { topic: 'requests', position: `1:${offset}`, ...row }))
}

/** Poison under an event's id came before it: the event has a row under another one. */
function takeId(e: Evidence, id: string): void {
  poisonAt(e, '5', { event_id: id, state: 'UNKNOWN', envelope: { id } })
  Object.assign(arrived(e, id), { event_id: 'full id', envelope: { id } })
}

const arrived = (e: Evidence, id: string) => e.deploy.inbox.find(row => row.event_id === id) as InboxRow
const without = <T>(items: T[], unwanted: (item: T) => boolean) =>
  void items.splice(0, items.length, ...items.filter(item => !unwanted(item)))
const auditRow = (row: Partial<AuditRow>): AuditRow => ({
  id: '1',
  at: new Date(START + 20_000),
  actor: 'operator',
  action: 'resend',
  event_id: REQUEST,
  consumer: null,
  note: null,
  ...row
})
const operator = (status: number | 'unknown', action = 'resend', eventId = REQUEST) =>
  ({ at: START + 20_000, kind: 'operator', service: 'market', action, eventId, status }) as const

/** Takes an event away from everywhere but the table named. */
function forget(e: Evidence, id: string) {
  for (const service of [e.market, e.deploy]) {
    without(service.events, row => row.id === id)
    without(service.transitions, row => row.event_id === id)
  }
}

/** A note to a topic that takes nothing, given up. */
function addClosed(e: Evidence, topic: string, row: Partial<EventRow> = {}): EventRow {
  const event = eventRow({
    id: `note-for-${topic}`,
    type: 'proof.note.lost',
    key: 'lost',
    topic,
    status: 'PARKED',
    count: 0,
    published_at: null,
    confirmed_at: null,
    park_reason: 'TOPIC_UNAVAILABLE',
    ...row
  })
  e.market.events.push(event)
  e.market.notes.push({ tag: `${OWN_TAG}${topic}`, key: 'lost', n: 1, event_id: event.id })
  const steps = [step(event.id, null, 'NEW'), step(event.id, 'NEW', event.status)]
  e.market.transitions.push(...steps.map(transition => ({ ...transition, count: event.count })))
  return event
}

t.test('nothing is wrong with a healthy run', async t => {
  t.strictSame(check(healthy()), [])
})

/** market is told that its request was given up. */
const told = (e: Evidence): InboxRow => ({
  ...arrived(e, NOTES[0]),
  event_id: 'told-1',
  type: 'steadfast.unanswered.market.deployment.requested',
  topic: 'steadfast:unanswered',
  source: 'market',
  causation_id: REQUEST,
  envelope: { id: REQUEST, unanswered: { status: 'PARKED', reason: 'UNCONFIRMED' } }
})

t.test('a service may tell itself of its own unanswered requests', async t => {
  const evidence = healthy()
  evidence.market.inbox.push(told(evidence))
  t.strictSame(check(evidence), [])
})

t.test('answers that the harness forges are none', async t => {
  const evidence = healthy()
  const forged = (id: string) => ({
    ...logRecord(reply(evidence, ANSWER), { id, hash: id }),
    poison: true,
    deleted: true
  })
  evidence.log.push(forged('forged-1'), forged('forged-2'))
  t.strictSame(check(evidence), [])
})

type Case = [invariant: number, name: string, spoil: (e: Evidence) => void, text: RegExp]

const CASES: Case[] = [
  [1, 'an acknowledged order without a row', e => without(e.market.orders, () => true), /acknowledged.*no row/],
  [1, 'an acknowledged order without its outbox row', e => forget(e, REQUEST), /has 0 outbox rows/],
  [
    1,
    'an order that was done twice',
    e => e.market.orders.push({ id: 'order-2', tag: 'tag-order', status: 'READY' }),
    /done 2 times/
  ],
  [
    1,
    'two outbox rows for one order',
    e => e.market.events.push({ ...market(e, REQUEST), id: 'request-2' }),
    /2 outbox rows/
  ],
  [
    1,
    'a refused order that was stored',
    e => e.market.orders.push({ id: 'order-2', tag: 'tag-refused', status: 'PLACED' }),
    /was refused, and has a row/
  ],
  [
    1,
    'an acknowledgement of something else',
    e => e.journal.push({ at: START, kind: 'answer', tag: 'tag-order', status: 202, id: 'order-9' }),
    /acknowledged as order-9/
  ],
  [
    1,
    'an unknown outcome with half of it',
    e => {
      without(e.journal, entry => entry.kind === 'answer' && entry.tag === 'tag-order' && entry.status === 202)
      forget(e, REQUEST)
    },
    /has 0 outbox rows/
  ],
  [1, 'an outbox row without its order', e => without(e.market.orders, () => true), /has no business row/],
  [
    2,
    'an effect that happened twice',
    e => e.deploy.effects.push({ applied: '3', event_id: NOTES[0], key: 'hot', n: 1, at: new Date(START) }),
    /effect 2 times/
  ],
  [
    2,
    'an effect that never happened',
    e => without(e.deploy.effects, row => row.n === 1),
    /CONFIRMED without an effect/
  ],
  [
    2,
    'an event that vanished',
    e => {
      without(e.deploy.effects, row => row.n === 1)
      without(e.deploy.inbox, row => row.event_id === NOTES[0])
      Object.assign(market(e, NOTES[0]), { status: 'PUBLISHED', confirmed_by: null, awaits_from: null })
    },
    /has no effect, nor is it parked/
  ],
  [2, 'an answer that nobody got', e => without(e.market.inbox, () => true), /never reached market/],
  [
    2,
    'an answer whose request is not confirmed',
    e => Object.assign(market(e, REQUEST), { status: 'PUBLISHED', confirmed_by: null }),
    /its request is PUBLISHED/
  ],
  [
    2,
    'a note that deploy knows, and refuses as one that it does not',
    e => Object.assign(arrived(e, NOTES[1]), { state: 'REFUSED', error: { code: 'SF_INBOX_UNKNOWN_TYPE' } }),
    /was refused by SF_INBOX_UNKNOWN_TYPE/
  ],
  [
    2,
    'an order deployed twice',
    e => e.deploy.deployments.push({ id: 'request-2', order_id: ORDER, status: 'READY' }),
    /was deployed 2 times/
  ],
  [2, 'a result that was not stated', e => forget(e, ANSWER), /no answer says so/],
  [
    2,
    'an order that stays open',
    e => Object.assign(e.market.orders[0] ?? {}, { status: 'PLACED' }),
    /order is still open/
  ],
  [
    6,
    'an order that is not told of its parked request',
    e => {
      Object.assign(e.market.orders[0] ?? {}, { status: 'PLACED' })
      Object.assign(market(e, REQUEST), { status: 'PARKED', confirmed_by: null, updated_at: new Date(0) })
    },
    /was told nothing: it is PLACED/
  ],
  [
    6,
    'an order that is not told of what a person has decided',
    e => {
      Object.assign(e.market.orders[0] ?? {}, { status: 'DELAYED' })
      Object.assign(market(e, REQUEST), { status: 'RESOLVED', confirmed_by: null, updated_at: new Date(0) })
    },
    /was told nothing: it is DELAYED/
  ],
  [
    2,
    'poison that nobody stored',
    e => {
      e.log.push(logRecord(eventRow({ id: 'ghost', type: 'x', key: 'k' })))
      e.journal.push({ at: START, kind: 'poison', topic: 'requests', key: 'k', what: 'bad JSON' })
    },
    /stands in no inbox as refused/
  ],
  [
    2,
    'an event whose id somebody else took, and that was handled nowhere',
    e => {
      takeId(e, NOTES[0])
      without(e.deploy.inbox, row => row.envelope?.id === NOTES[0] && row.state === 'DONE')
      without(e.deploy.effects, effect => effect.event_id === NOTES[0])
    },
    /has no effect/
  ],
  [
    3,
    'an effect out of nothing',
    e => e.deploy.effects.push({ applied: '3', event_id: 'ghost', key: 'cold', n: 1, at: new Date(START) }),
    /effect of ghost/
  ],
  [
    3,
    'a delivery out of nothing',
    e => e.deploy.inbox.push({ ...arrived(e, NOTES[0]), event_id: 'ghost' }),
    /inbox row ghost/
  ],
  [3, 'a request that is told of twice', e => e.market.inbox.push(told(e), told(e)), /once more/],
  [
    3,
    'an unanswered request out of nothing',
    e => e.market.inbox.push({ ...told(e), causation_id: 'ghost' }),
    /tells of ghost/
  ],
  [3, 'a confirmation by nothing', e => forget(e, ANSWER), /CONFIRMED by answer-1, which no outbox row/],
  [
    3,
    'a confirmation by the answer to another',
    e => Object.assign(market(e, NOTES[0]), { confirmed_by: ANSWER }),
    /replies to another event/
  ],
  [
    4,
    'effects in another order',
    e => Object.assign(e.deploy.effects[0] ?? {}, { applied: '9' }),
    /1 was applied after 3/
  ],
  [
    4,
    'records in another order',
    e => Object.assign(e.log.find(record => record.id === NOTES[0]) ?? {}, { offset: '99' }),
    /stands first at 0:99/
  ],
  [
    4,
    'a key in two partitions',
    e => Object.assign(e.log.find(record => record.id === NOTES[0]) ?? {}, { partition: 3 }),
    /in partitions/
  ],
  [
    4,
    'outbox rows in another order than commits',
    e => Object.assign(market(e, NOTES[0]), { seq: '77' }),
    /has the smaller seq/
  ],
  [
    4,
    'a delivery that passed a held one',
    e => Object.assign(arrived(e, NOTES[1]), { state: 'HELD' }),
    /note-2 was held, and note-3 of the same key passed it/
  ],
  [
    4,
    'a delivery that passed one until it was released',
    e => {
      e.deploy.audit.push(auditRow({ action: 'release', event_id: NOTES[1], at: new Date(START + 30_000) }))
      e.journal.push({ ...operator(200, 'release', NOTES[1]), service: 'deploy' })
    },
    /passed it/
  ],
  [
    5,
    'a status that goes back',
    e => e.market.transitions.push(step(REQUEST, 'CONFIRMED', 'PUBLISHED')),
    /went from CONFIRMED to PUBLISHED/
  ],
  [
    5,
    'a CONFIRMED that is left',
    e => e.market.transitions.push(step(REQUEST, 'CONFIRMED', 'PARKED')),
    /went from CONFIRMED to PARKED/
  ],
  [
    5,
    'a count that falls',
    e => e.market.transitions.push({ ...step(REQUEST, 'CONFIRMED', 'CONFIRMED'), count: 0 }),
    /count fell/
  ],
  [
    5,
    'a confirmation that changes',
    e => e.market.transitions.push({ ...step(REQUEST, 'CONFIRMED', 'CONFIRMED'), confirmed_by: 'other' }),
    /confirmation changed/
  ],
  [
    5,
    'a row that is not where its history ended',
    e => Object.assign(market(e, REQUEST), { status: 'PARKED' }),
    /history ends at CONFIRMED/
  ],
  [6, 'a row that stays due', e => Object.assign(market(e, REQUEST), { due: true }), /is CONFIRMED, due/],
  [
    6,
    'a row that stays unconfirmed',
    e => Object.assign(market(e, NOTES[0]), { status: 'PUBLISHED', confirmed_by: null }),
    /note-1 .* is PUBLISHED/
  ],
  [
    6,
    'a delivery that is left for a process that knows it, although there is one',
    e => Object.assign(arrived(e, NOTES[0]), { state: 'UNKNOWN' }),
    /is UNKNOWN in the inbox/
  ],
  [
    6,
    'a replay that does not end',
    e => Object.assign(e.deploy.replays[0] ?? {}, { ended_at: null }),
    /replay-1 of 1 deliveries has not come to its end/
  ],
  [
    6,
    'a delivery that stays blocked',
    e => Object.assign(arrived(e, NOTES[0]), { state: 'BLOCKED' }),
    /is BLOCKED in the inbox/
  ],
  [
    6,
    'poison that stays blocked behind nothing',
    e => poisonAt(e, '5', { state: 'BLOCKED' }),
    /is BLOCKED in the inbox/
  ],
  [
    6,
    'poison that stays blocked behind what is of another key',
    e => {
      poisonAt(e, '5', { arrival: '105', state: 'UNKNOWN', key: 'other' })
      poisonAt(e, '6', { arrival: '106', state: 'BLOCKED' })
    },
    /is BLOCKED in the inbox/
  ],
  [7, 'a send too many', e => Object.assign(market(e, REQUEST), { count: 7 }), /sent 7 times, 6 allowed/],
  [
    7,
    'a send that was counted and not done',
    e => Object.assign(market(e, REQUEST), { count: 2 }),
    /log has 1 records/
  ],
  [
    7,
    'a parking that came too early',
    e => Object.assign(market(e, NOTES[1]), { park_reason: 'UNCONFIRMED' }),
    /parked by time-out at count 1/
  ],
  [7, 'a parking without a reason', e => Object.assign(market(e, NOTES[1]), { park_reason: null }), /without a reason/],
  [
    7,
    'a send to a forbidden topic',
    e => addClosed(e, FORBIDDEN_TOPIC, { status: 'PUBLISHED', count: 1 }),
    /1 sends and 0 records, and proof.forbidden takes nothing/
  ],
  [
    7,
    'a record in a forbidden topic',
    e => e.log.push(logRecord(addClosed(e, FORBIDDEN_TOPIC))),
    /0 sends and 1 records, and proof.forbidden takes nothing/
  ],
  [
    7,
    'an event of a missing topic that was parked for another reason',
    e => addClosed(e, MISSING_TOPIC, { park_reason: 'REFUSED_BY_BROKER' }),
    /parked as REFUSED_BY_BROKER, and proof.nowhere takes nothing/
  ],
  [
    7,
    'an event of a forbidden topic that was confirmed',
    e => addClosed(e, FORBIDDEN_TOPIC, { status: 'CONFIRMED' }),
    /CONFIRMED, and proof.forbidden takes nothing/
  ],
  [
    7,
    'a parking for a topic that takes events',
    e => Object.assign(market(e, NOTES[1]), { park_reason: 'TOPIC_UNAVAILABLE' }),
    /parked for notes, which takes events/
  ],
  [7, 'a parking by a refusal that nobody stated', e => forget(e, `receipt-${NOTES[1]}`), /no refusal was stated/],
  [
    8,
    'two answers to one request',
    e => e.deploy.events.push({ ...reply(e, ANSWER), id: 'answer-2' }),
    /has 2 answers/
  ],
  [
    8,
    'an answer that changes from send to send',
    e => e.log.push(logRecord(reply(e, ANSWER), { hash: 'different', attempt: 2 })),
    /2 different contents/
  ],
  [
    8,
    'a stored answer under a new id',
    e => e.log.push(logRecord(reply(e, ANSWER), { id: 'answer-2' })),
    /2 different ids/
  ],
  [
    9,
    'a published event that is nowhere',
    e => without(e.log, record => record.id === REQUEST),
    /never stood in the log/
  ],
  [9, 'a published event without a count', e => Object.assign(reply(e, ANSWER), { count: 0 }), /has count 0/],
  [
    9,
    'more done than deployed',
    e => without(e.deploy.deployments, () => true),
    /done 1 requests, and has 0 deployments/
  ],
  [
    10,
    'a record of a rolled-back row',
    e => e.log.push(logRecord(eventRow({ id: 'ghost', type: 'x', key: 'k' }))),
    /no committed outbox row/
  ],
  [
    10,
    'a record with another content',
    e => Object.assign(e.log[0] ?? {}, { hash: 'different' }),
    /another content than its row/
  ],
  [
    10,
    'a record of what was erased, with another content',
    e => Object.assign(market(e, NOTES[0]), { payload: 'null', erased_hash: sha256('different') }),
    /another content than its row/
  ],
  [10, 'a record with another key', e => Object.assign(e.log[0] ?? {}, { key: 'other' }), /another envelope/],
  [11, 'a transaction left open', e => Object.assign(e.final, { idleInTransaction: 1 }), /idle in a transaction/],
  [11, 'a consumer that lags', e => Object.assign(e.final.lag, { deploy: '3' }), /group deploy lags by 3/],
  [11, 'a process that is not ready', e => e.final.notReady.push('market-1: relay'), /not ready/],
  [
    11,
    'an error nobody caught',
    e => e.journal.push({ at: START, kind: 'uncaught', target: 'market-1', text: 'x' }),
    /uncaught at market-1/
  ],
  [11, 'a process that ends by itself', e => e.journal.push({ ...exit, cause: 'none' }), /ended by itself/],
  [12, 'an exit that is not clean', e => e.journal.push({ ...exit, code: 1 }), /ended with code 1/],
  [12, 'an exit that comes late', e => e.journal.push({ ...exit, tookMs: 20_000 }), /took 20000 ms/],
  [13, 'dead rows that stay', e => Object.assign(e.final.vacuum.market ?? {}, { dead: 5000 }), /keeps 5000 dead rows/],
  [13, 'a claim that stays dear', e => Object.assign(e.final.claimBuffers, { market: 5000 }), /touches 5000 buffers/],
  [14, 'an action without its audit row', e => e.journal.push(operator(200)), /done 1 times, and has 0 audit rows/],
  [
    14,
    'an action with two audit rows',
    e => {
      e.journal.push(operator(200))
      e.market.audit.push(auditRow({}), auditRow({ id: '2' }))
    },
    /has 2 audit rows/
  ],
  [14, 'an audit row of an action that nobody took', e => e.market.audit.push(auditRow({})), /done 0 times/],
  [
    14,
    'an un-parking without its audit row',
    e => {
      const at = e.market.transitions.findIndex(t => t.event_id === REQUEST && t.to === 'CONFIRMED')
      e.market.transitions.splice(at, 1, step(REQUEST, 'PUBLISHED', 'PARKED'), step(REQUEST, 'PARKED', 'CONFIRMED'))
    },
    /more un-parkings/
  ]
]

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

const exit = {
  at: START,
  kind: 'exit',
  target: 'deploy-1',
  code: 0,
  signal: null,
  cause: 'SIGTERM',
  tookMs: 10
} as const

function step(id: string, from: Transition['from'], to: Transition['to']): Transition {
  const confirmed_by = to === 'CONFIRMED' ? ANSWER : null
  return { event_id: id, at: new Date(START + 9000), from, to, due: false, count: 1, confirmed_by }
}

for (const [invariant, name, spoil, text] of CASES) {
  t.test(`invariant ${invariant}: ${name}`, async t => {
    const evidence = healthy()
    spoil(evidence)
    const found = check(evidence).filter(violation => violation.invariant === invariant)
    t.match(found.map(violation => violation.text).join('\n'), text)
  })
}

// What is allowed stays green.

const ALLOWED: [name: string, spoil: (e: Evidence) => void][] = [
  [
    'an unknown outcome with neither row',
    e => e.journal.push({ at: START, kind: 'request', tag: 'tag-lost', action: 'order', detail: {} })
  ],
  [
    'an answer 409 or 503 before the row is there',
    e =>
      e.journal.push(
        { at: START, kind: 'answer', tag: 'tag-order', status: 503 },
        { at: START, kind: 'answer', tag: 'tag-order', status: 409 }
      )
  ],
  [
    'a record whose row was erased since',
    e => {
      const event = market(e, NOTES[0])
      Object.assign(event, { payload: 'null', erased_hash: sha256(event.payload) })
    }
  ],
  ['a record twice in the log', e => e.log.push(logRecord(market(e, NOTES[0]), { attempt: 2 }))],
  [
    'effects out of order, where the harness deleted the record',
    e => {
      Object.assign(e.log.find(record => record.id === NOTES[0]) ?? {}, { deleted: true })
      Object.assign(e.deploy.effects[0] ?? {}, { applied: '9' })
    }
  ],
  ['poison where it was put', e => poisonAt(e, '5', { state: 'REFUSED' })],
  [
    'sends that a person asked for',
    e => {
      Object.assign(market(e, REQUEST), { count: 7 })
      for (let n = 2; n <= 7; n++) e.log.push(logRecord(market(e, REQUEST), { attempt: n }))
      e.market.audit.push(auditRow({}))
      e.journal.push(operator(200))
    }
  ],
  [
    'a person whose answer was lost',
    e => {
      e.market.audit.push(auditRow({}))
      e.journal.push(operator('unknown'), operator(409))
    }
  ],
  [
    'a held delivery, and a later one of the same key in another topic',
    e => {
      Object.assign(arrived(e, NOTES[1]), { state: 'HELD' })
      for (const part of [
        arrived(e, NOTES[2]),
        market(e, NOTES[2]),
        e.log.find(record => record.id === NOTES[2]) ?? {}
      ])
        Object.assign(part, { topic: 'others' })
    }
  ],
  ['an event whose id somebody else took first', e => takeId(e, NOTES[0])],
  [
    'poison that waits behind what nobody knows',
    e => {
      poisonAt(e, '5', { arrival: '105', state: 'UNKNOWN' })
      poisonAt(e, '6', { arrival: '106', state: 'BLOCKED' })
    }
  ],
  [
    'poison that came before under the same id',
    e => {
      poisonAt(e, '5', { envelope: { id: 'ghost-5' }, state: 'UNKNOWN' })
      e.log.push(logRecord(eventRow({ id: 'ghost-5', type: 'x', key: 'k' }), { topic: 'requests', offset: '6' }))
    }
  ],
  ['an event of a missing topic, parked', e => addClosed(e, MISSING_TOPIC)],
  [
    'an event of a forbidden topic that a person has resolved',
    e => {
      const event = addClosed(e, FORBIDDEN_TOPIC)
      event.status = 'RESOLVED'
      e.market.transitions.push({ ...step(event.id, 'PARKED', 'RESOLVED'), count: 0 })
    }
  ],
  ['a row within its deadline', e => Object.assign(market(e, REQUEST), { due: true, updated_at: new Date(e.final.at) })]
]

for (const [name, allow] of ALLOWED) {
  t.test(`allowed: ${name}`, async t => {
    const evidence = healthy()
    allow(evidence)
    t.strictSame(check(evidence), [])
  })
}

t.test('a violation is told with the whole story, in order', async t => {
  const evidence = healthy()
  without(evidence.deploy.effects, row => row.n === 1)
  const violations = check(evidence)
  const [text = ''] = describeViolations(evidence, violations)
  const order = [
    'client: note tag-note-1',
    'market outbox: proof.note.written note-1',
    'log: proof.note.written note-1 at notes:0:',
    'FAULT kill of market-1',
    'EXIT market-1: SIGKILL',
    'deploy inbox: note-1 now DONE',
    'market outbox: note-1 PUBLISHED → CONFIRMED'
  ].map(part => text.indexOf(part))
  t.ok(order[0] !== -1, text)
  t.strictSame(
    order,
    [...order].sort((a, b) => a - b)
  )
  t.notMatch(text, 'note-3', 'nothing of other events')
})
