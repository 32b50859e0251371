import t from 'tap'
import { createAssignment, type Fetched } from '../src/assignment.ts'

const record = (headers: Fetched['headers'] = []): Fetched => ({
  offset: 7n,
  timestamp: 0n,
  key: null,
  value: null,
  headers
})

t.test('headers: the last value of each name, whatever the name; null is none', async t => {
  const assignment = createAssignment({ topic: [0] }, () => {})
  const headers = (
    [
      ['plain', '1'],
      ['twice', '0'],
      ['twice', '1'],
      ['empty', null],
      ['__proto__', '1'],
      ['constructor', '1']
    ] as const
  ).map(([name, value]) => [Buffer.from(name), value === null ? null : Buffer.from(value)] as const)
  const delivery = assignment.handOut('topic', 0, record(headers), 8n)
  const read = Object.entries(delivery.headers).map(([name, value]) => [name, value.toString()])
  t.same(read, [
    ['plain', '1'],
    ['twice', '1'],
    ['__proto__', '1'],
    ['constructor', '1']
  ])
  t.equal(Object.getPrototypeOf(delivery.headers), Object.prototype)
  t.notOk('key' in delivery)
})

t.test('what is nobody’s delivery is passed when all before it is done', async t => {
  const assignment = createAssignment({ topic: [0] }, () => {})
  const delivery = assignment.handOut('topic', 0, record(), 8n)
  assignment.skip('topic', 0, 20n)
  t.same(assignment.uncommitted(), [])
  delivery.done()
  t.same(assignment.uncommitted(), [{ topic: 'topic', partition: 0, offset: 20n }])
  assignment.skip('topic', 0, 30n)
  t.same(assignment.uncommitted(), [{ topic: 'topic', partition: 0, offset: 30n }])
})
