import t from 'tap'
import { Type } from 'typebox'
import { parseOptions } from '../src/index.ts'

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
