import type { KafkaMessage } from 'kafkajs'
import t from 'tap'
import { createAssignment } from '../src/assignment.ts'

t.test('headers as kafkajs reads them: the last value of each name, whatever the name', async t => {
  const assignment = createAssignment({ topic: [0] }, () => {})
  const one = Buffer.from('1')
  // kafkajs takes what Object.prototype has for a first value of that name.
  const headers = Object.fromEntries([
    ['plain', one],
    ['twice', [Buffer.from('0'), one]],
    ['empty', null],
    ['text', '1'],
    ['__proto__', [Object.prototype, one]],
    ['constructor', [Object, one]]
  ])
  const message = { key: null, value: null, headers, offset: '7', timestamp: '0', attributes: 0 } as unknown
  const delivery = assignment.handOut('topic', 0, message as KafkaMessage, 8n)
  const read = Object.entries(delivery.headers).map(([name, value]) => [name, value.toString()])
  t.same(read, [
    ['plain', '1'],
    ['twice', '1'],
    ['empty', ''],
    ['text', '1'],
    ['__proto__', '1'],
    ['constructor', '1']
  ])
  t.equal(Object.getPrototypeOf(delivery.headers), Object.prototype)
  t.notOk('key' in delivery)
})
