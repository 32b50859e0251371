import t from 'tap'
import { type Matcher, matchWhole } from '../src/index.ts'

const matching = [
  [[], []],
  [[{ state: 'DONE', outcome: 200 }], [{ state: 'DONE' }]],
  [{ items: [{ id: 'a' }], next: null }, { items: [{ id: /^a$/ }] }],
  [{ audit: [[1, { n: 2, m: 3 }]] }, { audit: [[Number, { n: 2 }]] }]
]

const differing = [
  [['a'], []],
  [['a', 'b'], ['a']],
  [['a'], ['a', 'b']],
  [{ items: ['a'] }, { items: [] }],
  [{ pages: [{ items: ['a', 'b'] }] }, { pages: [{ items: ['a'] }] }],
  [[{ state: 'DONE' }], [{ state: 'HELD' }]],
  [{}, { items: [] }],
  [undefined, []]
]

t.test('an array has as many elements as its pattern, an object may have more members', async t => {
  for (const [found, pattern] of matching) matchWhole(t, found, pattern, JSON.stringify(found))
})

t.test('what differs is noticed, at any depth', async t => {
  const red: Matcher = {
    currentAssert: undefined,
    matchOnly: (found, pattern, ...message) => t.notMatchOnly(found, pattern, ...message)
  }
  for (const [found, pattern] of differing) matchWhole(red, found, pattern, JSON.stringify(found))
})
