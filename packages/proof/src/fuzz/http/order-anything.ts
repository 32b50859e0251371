import fc from 'fast-check'
import { askJson, type Target } from './ask.ts'
import { describe, type Exchange, faultOf } from './exchange.ts'

const text = fc.string({ unit: 'binary', maxLength: 100 })
const nasty = fc.constantFrom('\u0000', 'simulated', 'small', 'huge', '', ' ', '__proto__', '\ud800', 'a'.repeat(101))
const order = fc.record(
  {
    product: fc.oneof(
      { weight: 4, arbitrary: fc.constant('sleeper') },
      { weight: 1, arbitrary: fc.oneof(nasty, text) }
    ),
    plan: fc.oneof(fc.constant('simulated'), nasty, text),
    parameters: fc.oneof(
      fc.record({ durationMs: fc.nat(300), failureRate: fc.double({ min: 0, max: 1 }) }, { requiredKeys: [] }),
      fc.record({ durationMs: fc.anything(), failureRate: fc.anything() }, { requiredKeys: [] }),
      fc.jsonValue({ noUnicodeString: false } as object)
    )
  },
  { requiredKeys: [] }
)
const key = fc.option(fc.stringMatching(/^[!#-+\--~]{1,255}$/), { nil: undefined })

interface Tried {
  exchanges: Exchange[]
  violations: string[]
}

/** Orders of every kind, each sent twice: the second answer is the first one when there was a key. */
export async function orderAnything(target: Target, { seed, count }: { seed: number; count: number }): Promise<Tried> {
  const exchanges: Exchange[] = []
  const problems: string[] = []
  const property = fc.asyncProperty(order, key, async (body, name) => {
    const headers = name === undefined ? {} : { 'idempotency-key': name }
    const question = { by: 'any order', method: 'POST', path: '/orders', headers, body }
    const first = await askJson(target, question)
    exchanges.push(first)
    const fault = faultOf(first)
    if (fault !== undefined) throw new Error(describe(first, fault))
    if (name === undefined || first.status !== 202) return
    const second = await askJson(target, question)
    exchanges.push(second)
    const isSame = second.status === first.status && second.received === first.received
    if (!isSame)
      throw new Error(describe(second, `was answered otherwise than before, ${first.status} ${first.received}`))
  })
  await fc.assert(property, { seed, numRuns: count }).catch((error: Error) => problems.push(error.message))
  return { exchanges, violations: problems }
}
