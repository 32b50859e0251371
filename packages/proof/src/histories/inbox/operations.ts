import fc from 'fast-check'

/** How a run of the handler ends. */
export type Ending = 'handled' | 'accepted' | 'refused' | 'failed' | 'crashed'

/** A step of a history. Numbers choose among what is there, modulo. */
export type Operation =
  /** An event comes into the log. */
  | { op: 'append'; topic: number; key: number }
  /** The log hands a consumer its next event, or an earlier one again. `quick`: runs that failed before, in memory. */
  | { op: 'deliver'; consumer: number; again: number | null; quick: number; ending: Ending }
  /** A handler begins, and its transaction stays open: the process is paused, or slow. */
  | { op: 'begin'; consumer: number }
  /** The same for a delivery that was set aside. */
  | { op: 'beginRetry'; consumer: number; which: number }
  | { op: 'end'; end: 'commit' | 'rollback' }
  /** Somebody else meets the row that an open transaction holds, waits, and the transaction ends. */
  | { op: 'meet'; by: 'deliver' | 'hold' | 'later' | 'refuse' | 'release' | 'reprocess'; end: 'commit' | 'rollback' }
  /** A consumer takes up what may run. */
  | { op: 'retry'; consumer: number; which: number; ending: Ending | 'held' }
  /** Verbs that come late, at a delivery in whatever state. */
  | {
      op: 'late'
      verb: 'claim' | 'later' | 'hold' | 'refuse' | 'aside' | 'release' | 'reprocess'
      consumer: number
      event: number
    }
  /** A process that does not know the type is handed the next event. */
  | { op: 'leave'; consumer: number }
  /** A process that knows no type looks what may be done. */
  | { op: 'look'; consumer: number; which: number; end: 'refuse' | 'ignore' }
  /** Such a process comes late, to a delivery in whatever state. */
  | { op: 'lateLook'; consumer: number; event: number; end: 'turn' | 'refuse' | 'ignore' }
  /** Another event comes under the id of one that is known: it changes no row, and is no duplicate. */
  | {
      op: 'impostor'
      consumer: number
      event: number
      by: 'receive' | 'refuse' | 'aside'
      other: 'source' | 'type' | 'topic'
    }
  | { op: 'reprocess'; which: number }
  | { op: 'release'; which: number }
  | { op: 'replay'; consumer: number; event: number; replay: number }
  | { op: 'purge'; olderThanMs: number; limit: number }
  | { op: 'advance'; ms: number }

const one = <T extends string>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values)
const consumer = fc.nat(1)
const which = fc.nat(5)
const event = fc.nat(9)
const mostlyFirst = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.constant(1))
const end = fc.oneof({ weight: 3, arbitrary: one('commit') }, { weight: 2, arbitrary: one('rollback') })
const ending = one('handled', 'handled', 'accepted', 'refused', 'failed', 'failed', 'crashed')
const op = <N extends string, T>(name: N, shape: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<{ op: N } & T> =>
  fc.record({ op: fc.constant(name), ...shape } as never) as unknown as fc.Arbitrary<{ op: N } & T>

const weighted: [number, fc.Arbitrary<Operation>][] = [
  [6, op('append', { topic: mostlyFirst, key: mostlyFirst })],
  [
    11,
    op('deliver', { consumer, again: fc.constant<number | null>(null), quick: fc.constantFrom(0, 0, 0, 2), ending })
  ],
  [3, op('deliver', { consumer, again: event as fc.Arbitrary<number | null>, quick: fc.constant(0), ending })],
  [2, op('begin', { consumer })],
  [2, op('beginRetry', { consumer, which })],
  [2, op('end', { end })],
  [2, op('meet', { by: one('deliver', 'hold', 'later', 'refuse', 'release', 'reprocess'), end })],
  [
    8,
    op('retry', {
      consumer,
      which,
      ending: one('handled', 'handled', 'accepted', 'refused', 'failed', 'held', 'held', 'crashed')
    })
  ],
  [
    4,
    op('late', {
      verb: one('claim', 'claim', 'claim', 'later', 'hold', 'refuse', 'aside', 'release', 'reprocess'),
      consumer,
      event
    })
  ],
  [3, op('leave', { consumer })],
  [4, op('look', { consumer, which, end: one('refuse', 'ignore') })],
  [2, op('lateLook', { consumer, event, end: one('turn', 'refuse', 'ignore') })],
  [
    2,
    op('impostor', { consumer, event, by: one('receive', 'refuse', 'aside'), other: one('source', 'type', 'topic') })
  ],
  [2, op('reprocess', { which })],
  [1, op('release', { which })],
  [1, op('replay', { consumer, event, replay: fc.nat(1) })],
  [1, op('purge', { olderThanMs: fc.constantFrom(0, 5000), limit: fc.integer({ min: 1, max: 6 }) })],
  [4, op('advance', { ms: fc.constantFrom(50, 1000, 10_000) })]
]

/** A history: it begins with events of one key in the log, so that hardly a step is idle. */
export const inboxOperations: fc.Arbitrary<Operation[]> = fc
  .array(fc.oneof(...weighted.map(([weight, arbitrary]) => ({ weight, arbitrary }))), {
    minLength: 1,
    maxLength: 45,
    size: 'max'
  })
  .map(operations => [{ op: 'append', topic: 0, key: 0 }, { op: 'append', topic: 0, key: 0 }, ...operations])
