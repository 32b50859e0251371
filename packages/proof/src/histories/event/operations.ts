import fc from 'fast-check'

// The last: of this age is what was touched by the database's clock once time has advanced far, and not before.
const AGES_MS = [0, 5000, 30_000, 3_610_000]

/** An event to be written; `key` and `cause` are numbers of small pools. */
export interface Draft {
  kind: 'request' | 'fact' | 'answer' | 'refusal'
  key: number
  cause: number
  maxSends: number
  backoff: number
  big: boolean
}

/** A step of a history that is one statement. `event` and `relay` count modulo what is there. */
export type Statement =
  | { op: 'write'; drafts: Draft[]; end: 'commit' | 'rollback' }
  | {
      op: 'fetch'
      relay: number
      lanes: 'all' | 'even' | 'odd'
      limit: number
      maxBytes: number
      keepBatch: boolean
      excludeKey: number | null
      replays: number
    }
  | { op: 'mark'; relay: number; count: number }
  | { op: 'refusedByBroker'; relay: number }
  | { op: 'check'; event: number; answer: number; from: 'right' | 'wrong'; type: 'right' | 'wrong' | 'receipt' }
  | { op: 'confirm'; event: number; answer: number; from: 'right' | 'wrong'; type: 'right' | 'wrong' | 'receipt' }
  | {
      op: 'verdict'
      event: number
      from: 'right' | 'wrong' | 'any'
      reason: 'REFUSED' | 'ANSWER_REFUSED' | 'ANSWER_HELD'
      answer: number | null
    }
  | { op: 'progress'; event: number; from: 'right' | 'wrong' }
  | { op: 'sweep'; limit: number; budget: number }
  | { op: 'replayAnswers'; cause: number; of: 'DONE' | 'REFUSED' }
  | { op: 'resend'; event: number }
  | { op: 'resolve'; event: number }
  | { op: 'purge'; olderThanMs: number; answersOlderThanMs: number; limit: number; after: number | null }

/** A step of a history. */
export type Operation =
  | Statement
  | { op: 'open'; drafts: Draft[] }
  | { op: 'close'; end: 'commit' | 'rollback' }
  | { op: 'lose'; relay: number; count: number }
  | { op: 'advance'; to: 'before deadline' | 'deadline' | 'give up' | 'a little' | 'far' | 'too far'; event: number }
  /** `late`: both are about one event, whose deadline has passed, where they can be. */
  | { op: 'overlap'; first: Statement; second: Statement; end: 'commit' | 'rollback'; late: number | null }

const one = <T extends string>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values)
const event = fc.nat(7)
const relay = fc.nat(1)
const answer = fc.nat(1)
const from = fc.oneof({ weight: 5, arbitrary: one('right') }, one('wrong'))
const end = fc.oneof({ weight: 4, arbitrary: one('commit') }, one('rollback'))
const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max })
const maybe = <T>(arbitrary: fc.Arbitrary<T>, freq = 2): fc.Arbitrary<T | null> =>
  fc.option(arbitrary, { nil: null, freq })
const op = <N extends string, T>(name: N, shape: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<{ op: N } & T> =>
  fc.record({ op: fc.constant(name), ...shape } as never) as unknown as fc.Arbitrary<{ op: N } & T>

const draft: fc.Arbitrary<Draft> = fc.record({
  kind: fc.oneof(
    { weight: 4, arbitrary: one('request') },
    one('fact'),
    { weight: 2, arbitrary: one('answer') },
    one('refusal')
  ),
  key: fc.nat(2),
  cause: fc.nat(1),
  maxSends: upTo(3),
  backoff: upTo(3),
  big: fc.boolean()
})
const drafts = fc.array(draft, { minLength: 1, maxLength: 2 })
const answerShape = {
  event,
  answer,
  from,
  type: fc.oneof({ weight: 4, arbitrary: one('right') }, one('wrong', 'receipt'))
}

const statements: [number, fc.Arbitrary<Statement>][] = [
  [4, op('write', { drafts, end })],
  [
    6,
    op('fetch', {
      relay,
      lanes: fc.oneof({ weight: 3, arbitrary: one('all') }, one('even', 'odd')),
      limit: upTo(4),
      maxBytes: fc.constantFrom(10_000, 10_000, 300),
      keepBatch: fc.boolean(),
      excludeKey: maybe(fc.nat(2), 4),
      replays: fc.nat(3)
    })
  ],
  [7, op('mark', { relay, count: upTo(4) })],
  [1, op('refusedByBroker', { relay })],
  [1, op('check', answerShape)],
  [4, op('confirm', answerShape)],
  [
    2,
    op('verdict', {
      event,
      from: one('right', 'right', 'wrong', 'any'),
      reason: one('REFUSED', 'ANSWER_REFUSED', 'ANSWER_HELD'),
      answer: maybe(answer)
    })
  ],
  [2, op('progress', { event, from })],
  [5, op('sweep', { limit: upTo(3), budget: fc.nat(3) })],
  [3, op('replayAnswers', { cause: fc.nat(1), of: one('DONE', 'DONE', 'REFUSED') })],
  [3, op('resend', { event })],
  [2, op('resolve', { event })],
  [
    2,
    op('purge', {
      olderThanMs: fc.constantFrom(...AGES_MS),
      answersOlderThanMs: fc.constantFrom(...AGES_MS),
      limit: upTo(4),
      after: maybe(event, 3)
    })
  ]
]

const statement: fc.Arbitrary<Statement> = fc.oneof(...statements.map(([weight, arbitrary]) => ({ weight, arbitrary })))

// What contends for a late event, with enough of each pair.
const contender: fc.Arbitrary<Statement> = fc.oneof(
  { weight: 3, arbitrary: op('sweep', { limit: upTo(3), budget: upTo(3) }) },
  op('mark', { relay, count: upTo(2) }),
  op('confirm', { event, answer, from: one('right'), type: one('right') }),
  op('verdict', { event, from: one('right'), reason: one('REFUSED'), answer: fc.constant(null) }),
  op('progress', { event, from: one('right') }),
  op('resend', { event }),
  op('purge', {
    olderThanMs: fc.constant(0),
    answersOlderThanMs: fc.constant(0),
    limit: fc.constant(10),
    after: fc.constant(null)
  })
)

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 32, arbitrary: statement },
  { weight: 1, arbitrary: op('open', { drafts }) },
  { weight: 1, arbitrary: op('close', { end }) },
  { weight: 1, arbitrary: op('lose', { relay, count: upTo(2) }) },
  {
    weight: 7,
    arbitrary: op('advance', {
      to: one('before deadline', 'deadline', 'deadline', 'give up', 'a little', 'far', 'too far'),
      event
    })
  },
  { weight: 3, arbitrary: op('overlap', { first: statement, second: statement, end, late: fc.constant(null) }) },
  {
    weight: 4,
    arbitrary: op('overlap', { first: contender, second: contender, end, late: event as fc.Arbitrary<number | null> })
  }
)

/** A history: it begins with something written, so that hardly a step is idle. */
export const eventOperations: fc.Arbitrary<Operation[]> = fc
  .tuple(op('write', { drafts, end: one('commit') }), fc.array(operation, { minLength: 1, maxLength: 40, size: 'max' }))
  .map(([first, rest]) => [first, ...rest])
