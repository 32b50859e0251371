import fc from 'fast-check'
import t from 'tap'
import { Type } from 'typebox'
import { functionOption, instanceOption, parseOptions } from '../src/index.ts'

const Schema = Type.Object({
  pollIntervalMs: Type.Integer({ minimum: 1, default: 200 }),
  schema: Type.Optional(Type.String()),
  retry: Type.Object({ attempts: Type.Integer() }, { default: { attempts: 3 } }),
  log: Type.Optional(Type.Unsafe<() => void>({}))
})
const parse = (given: unknown) => parseOptions('@steadfast/x', Schema, given)

t.test('defaults are filled in, and neither they nor the given options are shared', async t => {
  t.same(parse(undefined), { pollIntervalMs: 200, retry: { attempts: 3 } })
  const first = parse({})
  first.retry.attempts = 99
  t.same(parse({}).retry, { attempts: 3 })
  const given = Object.freeze({ schema: undefined, log: () => {} })
  const parsed = parse(given)
  t.equal(parsed.log, given.log)
  t.notOk('schema' in parsed)
  t.same(Object.keys(given), ['schema', 'log'])
})

t.test('a misspelling is told what was meant', async t => {
  const code = 'SF_OPTIONS_INVALID'
  t.throws(() => parse({ pollIntervalMS: 1 }), {
    code,
    message: '@steadfast/x: unknown option "pollIntervalMS"; did you mean "pollIntervalMs"?'
  })
  t.throws(() => parse({ shcema: 'a' }), { code, message: /did you mean "schema"\?/ })
  t.throws(() => parse({ colour: 1 }), {
    code,
    message: /unknown option "colour"; known are pollIntervalMs, schema, retry, log$/
  })
})

t.test('a wrong value is named by its path', async t => {
  t.throws(() => parse({ pollIntervalMs: 0 }), { message: /^@steadfast\/x: option "pollIntervalMs" / })
  t.throws(() => parse({ pollIntervalMs: '200' }), { message: /"pollIntervalMs" must be integer/ })
  t.throws(() => parse({ retry: { attempts: 'x' } }), { message: /"retry.attempts"/ })
  t.throws(() => parse({ pollIntervalMs: null }), { code: 'SF_OPTIONS_INVALID' })
  t.throws(() => parse('x'), { code: 'SF_OPTIONS_INVALID' })
})

t.test('functions and instances are known by what they can do', async t => {
  const Schema = Type.Object({
    log: Type.Optional(functionOption<() => void>()),
    pool: Type.Optional(instanceOption<{ connect(): void }>('a pool', ['connect']))
  })
  const parse = (given: unknown) => parseOptions('x', Schema, given)
  const pool = { connect() {} }
  t.equal(parse({ pool }).pool, pool)
  for (const wrong of [null, 5, 'x', {}, [], { connect: 1 }])
    t.throws(() => parse({ pool: wrong }), { code: 'SF_OPTIONS_INVALID', message: /"pool" must be a pool/ })
  for (const wrong of [null, 5, {}])
    t.throws(() => parse({ log: wrong }), { code: 'SF_OPTIONS_INVALID', message: /"log" must be a function/ })
})

t.test('options that cannot be read, or that hide something', async t => {
  const code = 'SF_OPTIONS_INVALID'
  for (const given of [null, 5, true, 'x', [], () => {}]) t.throws(() => parse(given), { code }, String(given))
  const unreadable = {
    get schema() {
      throw new TypeError('no')
    }
  }
  t.throws(() => parse(unreadable), { code, message: /option "schema" cannot be read: TypeError: no/ })
  t.throws(() => parse(JSON.parse('{"__proto__": {"pollIntervalMs": 0}}')), { code, message: /"__proto__"/ })
  t.same(parse(Object.create({ colour: 1 })), parse({}), 'what is inherited is no option')
  const others = { prefix: '/x', schema: 'a' }
  t.equal(parseOptions('x', Schema, others, ['prefix']).schema, 'a')
})

t.test('any options at all: settings, or a coded refusal', async () => {
  const name = fc.constantFrom('pollIntervalMs', 'pollIntervalMS', 'schema', 'retry', 'log', '__proto__', 'constructor')
  const value = fc.oneof(
    fc.anything(),
    fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 'x"; drop', Symbol('s'), 1n)
  )
  const options = fc.array(fc.tuple(name, value), { maxLength: 3 }).map(Object.fromEntries)
  fc.assert(
    fc.property(options, given => {
      try {
        const { pollIntervalMs } = parse(given)
        return Number.isInteger(pollIntervalMs) && pollIntervalMs >= 1
      } catch (error) {
        return (error as { code?: string }).code === 'SF_OPTIONS_INVALID'
      }
    }),
    { numRuns: 300 }
  )
})
