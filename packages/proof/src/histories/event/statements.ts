import {
  checkAnswer,
  confirmEvent,
  type Db,
  extendDeadline,
  fetchDue,
  markPublished,
  parkEvent,
  parkUnsendable,
  purgeEvents,
  replayAnswers,
  resendEvent,
  resolveEvent,
  sweepEvents,
  writeEvents
} from '@steadfast/store/internal'
import type { Clock, EventModel, ModelEvent } from './model.ts'
import * as expected from './model.ts'
import { purge } from './model-retention.ts'
import type { Statement } from './operations.ts'
import { ANSWERER, ANSWERS, ASKER, CAUSES, drafted, KEYS, TOPICS, type World } from './world.ts'

/** A statement with its arguments fixed: what it does to the database, and to the model. Both answer the same. */
export interface Step {
  title: string
  run(db: Db): Promise<unknown>
  /** `locked`: rows that another transaction has in its hands, for verbs that pass over such rows. */
  expect(model: EventModel, clock: Clock, locked: readonly string[]): unknown
  /** What the relay remembers of it. */
  remember?(world: World, answer: unknown): void
  /** It passes over rows in another transaction's hands instead of waiting. */
  skipsLocked?: boolean
  /** An answer that it may give instead, when another transaction is in its way. */
  meanwhile?: Readonly<Record<string, string>>
  /** A row that it holds even when it changes nothing. */
  locks?: string
}

type Of<N extends Statement['op']> = Extract<Statement, { op: N }>
type Planner<N extends Statement['op']> = (world: World, op: Of<N>) => Step | undefined

const pick = (world: World, n: number): ModelEvent | undefined =>
  world.model.events[n % Math.max(1, world.model.events.length)]
const party = (from: 'right' | 'wrong'): string => (from === 'right' ? ANSWERER : 'stranger')
const ALL_LANES = Array.from({ length: 64 }, (_, lane) => lane)

function answerTo(world: World, op: Of<'confirm'> | Of<'check'>) {
  const event = pick(world, op.event)
  if (event === undefined) return undefined
  const answersType = { right: event.type, wrong: 'market.other', receipt: null }[op.type]
  const answerId = ANSWERS[op.answer] ?? ''
  return { causationId: event.id, answerId, source: party(op.from), answersType, receipt: op.type === 'receipt' }
}

const planners: { [N in Statement['op']]: Planner<N> } = {
  write(_, { drafts }) {
    const made = drafts.map(drafted)
    const events = made.map(({ event }) => event)
    return {
      title: `write ${events.map(e => `${e.id} (${e.type}, key ${e.key}, max_sends ${e.maxSends}, backoff ${e.resendBackoff})`).join(', ')}`,
      run: async db => void (await writeEvents(db, events)),
      expect(model, clock) {
        expected.appear(
          model,
          made.map(({ expected }) => expected(model.nextOrder++, clock))
        )
      }
    }
  },
  fetch(world, op) {
    const batch = world.relays[op.relay] ?? []
    const query = {
      lanes: op.lanes === 'all' ? ALL_LANES : ALL_LANES.filter(lane => lane % 2 === (op.lanes === 'even' ? 0 : 1)),
      excludeSeqs: op.keepBatch ? world.model.events.filter(e => batch.some(f => f.id === e.id)).map(e => e.seq) : [],
      excludeKeys:
        op.excludeKey === null ? [] : [{ topic: TOPICS[op.excludeKey] ?? '', key: KEYS[op.excludeKey] ?? '' }],
      replays: op.replays,
      limit: op.limit,
      maxBytes: op.maxBytes
    }
    const shown = (e: { id: string; count: number; replay: boolean; status: string; awaitsFrom: string | null }) => ({
      id: e.id,
      count: e.count,
      replay: e.replay,
      status: e.status,
      awaitsFrom: e.awaitsFrom
    })
    return {
      title: `relay ${op.relay} fetches: ${op.lanes} lanes, limit ${op.limit}, ${op.maxBytes} bytes, ${query.excludeSeqs.length} in flight, ${op.replays} replays, without keys [${query.excludeKeys.map(({ key }) => key)}]`,
      run: async db => (await fetchDue(db, query)).events.map(shown),
      expect: model => expected.fetchDue(model, query).map(e => shown({ ...e, ...e.row })),
      remember(world, answer) {
        const fetched = (answer as { id: string; count: number }[]).map(({ id, count }) => ({ id, count }))
        world.relays[op.relay] = op.keepBatch ? [...batch, ...fetched] : fetched
      }
    }
  },
  mark(world, op) {
    const sent = (world.relays[op.relay] ?? []).slice(0, op.count)
    if (sent.length === 0) return undefined
    return {
      title: `relay ${op.relay} marks ${sent.map(({ id, count }) => `${id} as read with count ${count}`).join(', ')}`,
      skipsLocked: true,
      async run(db) {
        const { marked, locked } = await markPublished(db, sent, new Date(world.now))
        return { marked: marked.sort(), locked: locked.sort() }
      },
      expect: (model, clock, locked) => expected.markAll(model, sent, locked, clock),
      remember(world, answer) {
        const held = new Set((answer as { locked: string[] }).locked)
        const rest = (world.relays[op.relay] ?? []).slice(sent.length)
        world.relays[op.relay] = [...sent.filter(({ id }) => held.has(id)), ...rest]
        for (const { id } of sent) if (!held.has(id)) world.acknowledged.set(id, (world.acknowledged.get(id) ?? 0) + 1)
      }
    }
  },
  refusedByBroker(world, op) {
    const read = world.relays[op.relay]?.[0]
    if (read === undefined) return undefined
    return {
      title: `the broker refuses ${read.id}, read by relay ${op.relay} with count ${read.count}`,
      run: db => parkUnsendable(db, { ...read, error: 'too large' }),
      expect(model, clock) {
        const event = expected.find(model, read.id)
        return event === undefined ? 'unchanged' : expected.parkUnsendable(event, read, clock)
      },
      remember: world => void world.relays[op.relay]?.shift()
    }
  },
  check(world, op) {
    const answer = answerTo(world, op)
    if (answer === undefined) return undefined
    return {
      title: `check the answer ${answer.answerId} from ${answer.source} to ${answer.causationId}`,
      run: db => checkAnswer(db, answer),
      expect: model => expected.check(expected.find(model, answer.causationId), answer)
    }
  },
  confirm(world, op) {
    const answer = answerTo(world, op)
    if (answer === undefined) return undefined
    return {
      title: `the answer ${answer.answerId} from ${answer.source} to type ${answer.answersType} confirms ${answer.causationId}`,
      locks: answer.causationId,
      run: db => confirmEvent(db, answer),
      expect: (model, clock) => expected.confirm(model, answer.causationId, answer, clock)
    }
  },
  verdict(world, op) {
    const event = pick(world, op.event)
    if (event === undefined) return undefined
    const from = op.from === 'any' ? undefined : party(op.from)
    const confirmedBy = op.answer === null ? undefined : ANSWERS[op.answer]
    const parking = {
      id: event.id,
      reason: op.reason,
      error: 'no',
      ...(from && { from }),
      ...(confirmedBy && { confirmedBy })
    }
    return {
      title: `${op.reason} from ${from ?? 'anybody'} parks ${event.id}`,
      run: db => parkEvent(db, parking),
      expect(model, clock) {
        const found = expected.find(model, event.id)
        return found !== undefined && expected.parkByVerdict(found, { from, reason: op.reason, confirmedBy }, clock)
      }
    }
  },
  progress(world, op) {
    const event = pick(world, op.event)
    if (event === undefined) return undefined
    const from = party(op.from)
    return {
      title: `${from} is at work on ${event.id}`,
      run: db => extendDeadline(db, { id: event.id, from }, new Date(world.now)),
      expect(model, clock) {
        const found = expected.find(model, event.id)
        return found !== undefined && expected.inProgress(found, from, clock)
      }
    }
  },
  sweep(world, { limit, budget }) {
    return {
      title: `sweep, limit ${limit}, ${budget} resends outstanding at most`,
      skipsLocked: true,
      async run(db) {
        const { resent, parked } = await sweepEvents(db, { limit, maxResendsOutstanding: budget }, new Date(world.now))
        return { resent: resent.sort(), parked: parked.sort() }
      },
      expect: (model, clock, locked) => expected.sweep(model, { limit, budget, locked }, clock)
    }
  },
  replayAnswers(_, op) {
    const cause = CAUSES[op.cause] ?? ''
    return {
      title: `a duplicate of ${cause} (${op.of}) has its answers sent again`,
      run: async db => (await replayAnswers(db, { causationId: cause, source: ASKER, of: op.of })).answers,
      expect: (model, clock) => expected.replayAnswers(model, cause, op.of, clock)
    }
  },
  resend(world, op) {
    const event = pick(world, op.event)
    if (event === undefined) return undefined
    return {
      title: `ann resends ${event.id}`,
      // it saw the event, waited for retention, and found it gone: nothing was done either way
      meanwhile: { unknown: 'unfit' },
      run: db => resendEvent(db, { id: event.id, actor: 'ann' }),
      expect: (model, clock) => expected.resend(model, event.id, clock)
    }
  },
  resolve(world, op) {
    const event = pick(world, op.event)
    if (event === undefined) return undefined
    return {
      title: `ann resolves ${event.id}`,
      run: db => resolveEvent(db, { id: event.id, actor: 'ann', note: 'settled by telephone' }),
      expect: (model, clock) => expected.resolve(model, event.id, clock)
    }
  },
  purge(world, op) {
    const after = op.after === null ? null : (pick(world, op.after)?.id ?? null)
    const { olderThanMs, answersOlderThanMs, limit } = op
    return {
      title: `retention: events of ${olderThanMs} ms, answers of ${answersOlderThanMs} ms, limit ${limit}, behind ${after}`,
      skipsLocked: true,
      run: db => purgeEvents(db, { olderThanMs, answersOlderThanMs, limit, after }, new Date(world.now)),
      expect: (model, clock, locked) => purge(model, { olderThanMs, answersOlderThanMs, limit, after, locked }, clock)
    }
  }
}

/** Fixes the arguments of a statement by what there is now; undefined when there is nothing to do it to. */
export function planStatement(world: World, op: Statement): Step | undefined {
  return (planners[op.op] as Planner<typeof op.op>)(world, op as never)
}
