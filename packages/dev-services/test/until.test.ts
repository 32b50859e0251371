import t from 'tap'
import { until } from '../src/index.ts'

t.test('resolves with the first truthy value', async t => {
  let looks = 0
  t.equal(await until(async () => (++looks > 3 ? `after ${looks}` : undefined), { intervalMs: 1 }), 'after 4')
})

t.test('names what it waited for', async t => {
  await t.rejects(
    until(() => false, { timeoutMs: 5, what: 'a wonder' }),
    { message: 'not within 5 ms: a wonder' }
  )
})

t.test('an error of the condition is not swallowed', async t => {
  await t.rejects(
    until(() => {
      throw new Error('broken')
    }),
    { message: 'broken' }
  )
})
