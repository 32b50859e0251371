import t from 'tap'
import { type Conditions, type Decision, decide, FRESH, type History } from '../src/decide.ts'
import type { Run } from '../src/types.ts'

// The outcome table of the README, a row at a time.
const error = { message: 'no' }
const options = {
  group: 'g',
  retry: { quickRetries: 1, quickRetryDelayMs: 100, delaysMs: [5_000, 30_000] },
  onExhausted: 'hold' as const,
  timeoutMs: 1_000,
  lockTimeoutMs: 1_000,
  route: {}
}
const WELL: Conditions = { othersGetThrough: true, isSlow: false, isUnanswered: false }
const replay = { id: 7 } as unknown as NonNullable<Extract<Run, { kind: 'failure' }>['replay']>

const handled: Run = { kind: 'done', how: 'handled', status: 202 }
const verdict: Run = { kind: 'verdict', status: 422, error }
const failure: Run = { kind: 'failure', status: 500, error }
const again: Run = { kind: 'again', reached: true, status: 500, error }
const inTheWay: Run = { ...again, reached: false }
const wait: Run = { kind: 'wait', status: 503, error }
const down: Run = { kind: 'world', sure: false, error }
const notReached: Run = { kind: 'world', sure: true, error }

const stored = (attempts = 1): History => ({ ...FRESH, stored: { attempts } })

interface Row {
  run: Run
  history?: Partial<History>
  conditions?: Partial<Conditions>
  onExhausted?: 'refuse'
  /** `deed`, and what it says of the breaker and the type. */
  fresh: string
  /** The same out of the inbox again. */
  again: string
}

const rows: Record<string, Row> = {
  'it was handled': { run: handled, fresh: 'end good works', again: 'end good works' },
  'it was known': {
    run: { kind: 'done', how: 'duplicate', status: 200 },
    fresh: 'end good',
    again: 'end good'
  },
  'another process has it': {
    run: { kind: 'done', how: 'lost', status: 200 },
    fresh: 'run-again good',
    again: 'end good'
  },
  'a verdict': { run: verdict, fresh: 'refuse good works', again: 'refuse good works' },
  'a verdict on what tells of an unanswered request': {
    run: verdict,
    conditions: { isUnanswered: true },
    fresh: 'set-aside good fails',
    again: 'set-aside good fails'
  },
  'a failure': { run: failure, fresh: 'run-again good', again: 'set-aside good fails' },
  'the last quick retry': {
    run: failure,
    history: { failures: 1 },
    fresh: 'set-aside good fails',
    again: 'set-aside good fails'
  },
  'a failure of a slow type': {
    run: failure,
    conditions: { isSlow: true },
    fresh: 'set-aside good fails',
    again: 'set-aside good fails'
  },
  'a failure of a rerun': {
    run: { ...failure, replay },
    history: { failures: 1 },
    fresh: 'fail-rerun good',
    again: 'fail-rerun good'
  },
  'a verdict of a rerun': { run: { ...verdict, replay }, fresh: 'fail-rerun good', again: 'fail-rerun good' },
  'in the way of others': { run: again, fresh: 'run-again good', again: 'run-again good' },
  'in the way of others for the eleventh time': {
    run: again,
    history: { conflicts: 10 },
    fresh: 'set-aside good fails',
    again: 'set-aside good fails'
  },
  'in the way of who has it': {
    run: inTheWay,
    history: { conflicts: 10 },
    fresh: 'run-again good',
    again: 'set-aside good fails'
  },
  'asked to wait': { run: wait, fresh: 'run-again good', again: 'set-aside good' },
  'asked to wait for the fourth time': {
    run: { ...wait, ms: 100 },
    history: { waits: 3 },
    fresh: 'set-aside good',
    again: 'set-aside good'
  },
  'asked to wait for long': { run: { ...wait, ms: 3_001 }, fresh: 'set-aside good', again: 'set-aside good' },
  'no database': { run: down, fresh: 'run-again neutral', again: 'leave bad' },
  'no database for the fourth time': {
    run: down,
    history: { downs: 3 },
    fresh: 'run-again bad',
    again: 'leave bad'
  },
  'not reached': { run: notReached, fresh: 'run-again bad', again: 'leave bad' },
  'not reached for the sixth time while others get through': {
    run: notReached,
    history: { alone: 5 },
    fresh: 'set-aside neutral fails',
    again: 'set-aside neutral fails'
  },
  'not reached for the sixth time, and neither is anybody else': {
    run: notReached,
    history: { alone: 5 },
    conditions: { othersGetThrough: false },
    fresh: 'run-again bad',
    again: 'leave bad'
  },
  'the server closes': { run: { kind: 'abandoned' }, fresh: 'leave neutral', again: 'leave neutral' }
}

const told = ({ deed, breaker, type }: Decision) => [deed, breaker.says, type].filter(Boolean).join(' ')

for (const [name, { run, history = {}, conditions = {}, fresh, again }] of Object.entries(rows))
  t.test(name, async t => {
    const now = { ...WELL, ...conditions }
    t.equal(told(decide(run, { ...FRESH, ...history }, now, options)), fresh, 'fresh')
    t.equal(told(decide(run, { ...stored(), ...history }, now, options)), again, 'out of the inbox again')
  })

t.test('each failure that counts takes the next delay; then it is held, or refused', async t => {
  const failed = { ...FRESH, failures: 1 }
  const at = (decision: Decision, most: number) => {
    if (decision.deed !== 'set-aside') return t.fail(decision.deed)
    t.ok(decision.dueInMs > most / 2 - 1 && decision.dueInMs <= most, `${decision.dueInMs} of ${most} ms`)
    return t.equal(decision.history.failures, 0)
  }
  at(decide(failure, failed, WELL, options), 5_000)
  at(decide(failure, stored(1), WELL, options), 30_000)
  const last = decide(failure, stored(2), WELL, options)
  t.strictSame([last.deed, 'attempts' in last && last.attempts], ['hold', 3])
  t.equal(decide(failure, stored(2), WELL, { ...options, onExhausted: 'refuse' }).deed, 'refuse')
  const once = { ...options, retry: { ...options.retry, delaysMs: [] } }
  const held = decide(failure, failed, WELL, once)
  t.strictSame([held.deed, 'attempts' in held && held.attempts], ['hold', 1])
})

t.test('waits double, up to half a minute, and are uncounted', async t => {
  const first = decide(wait, FRESH, WELL, options)
  const second = decide(wait, first.history, WELL, options)
  t.strictSame(
    [first, second].map(d => d.deed === 'run-again' && d.afterMs),
    [1_000, 2_000]
  )
  const third = decide(wait, second.history, WELL, options)
  t.strictSame(
    [third.deed, 'dueInMs' in third && third.dueInMs, 'attempts' in third && third.attempts],
    ['set-aside', 4_000, 0]
  )
  const asked = decide({ ...wait, ms: 60_000 }, stored(4), WELL, options)
  t.strictSame(
    [asked.deed, 'dueInMs' in asked && asked.dueInMs, 'attempts' in asked && asked.attempts],
    ['set-aside', 60_000, 4]
  )
})

t.test('what met a wrong world alone is counted until it fails for it', async t => {
  let history = stored()
  for (let n = 0; n < 5; n++) {
    const decision = decide(notReached, history, WELL, options)
    t.equal(told(decision), 'leave bad')
    history = decision.history
  }
  const decision = decide(notReached, history, WELL, options)
  t.equal(told(decision), 'set-aside neutral fails')
  t.equal(decision.history.alone, 0)
})
