import t from 'tap'
import { aboutOf, classifyError } from '../src/classify-error.ts'
import { protocolError } from '../src/protocol-error.ts'

const answered = (code: number) => classifyError(protocolError(code))

t.test('refused is only what no later send of the same message can mend', async t => {
  t.equal(answered(10), 'refused', 'MESSAGE_TOO_LARGE')
  t.equal(answered(18), 'refused', 'RECORD_LIST_TOO_LARGE')
  t.equal(answered(87), 'refused', 'INVALID_RECORD')
  t.equal(answered(17), 'refused', 'INVALID_TOPIC_EXCEPTION')
})

t.test("the process's clock, and bytes that were damaged on the way, condemn no message", async t => {
  t.equal(answered(32), 'unavailable', 'INVALID_TIMESTAMP')
  t.equal(answered(2), 'unavailable', 'CORRUPT_MESSAGE')
})

t.test('what may have been appended is unknown', async t => {
  t.equal(answered(7), 'unknown', 'REQUEST_TIMED_OUT')
  t.equal(answered(20), 'unknown', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND')
  t.equal(classifyError(new Error('whatever')), 'unknown')
})

t.test('a topic that is missing or forbidden is named as what the failure is about', async t => {
  t.equal(aboutOf(protocolError(3)), 'topic', 'UNKNOWN_TOPIC_OR_PARTITION')
  t.equal(aboutOf(protocolError(29)), 'topic', 'TOPIC_AUTHORIZATION_FAILED')
  t.equal(aboutOf(protocolError(6)), undefined, 'NOT_LEADER_FOR_PARTITION')
  t.equal(aboutOf(new Error('whatever')), undefined)
})
