import t from 'tap'
import { brokerError } from '../src/broker-error.ts'
import { aboutOf, classifyError } from '../src/classify-error.ts'

const answered = (name: string) => classifyError(brokerError(name))

t.test('refused is only what no later send of the same message can mend', async t => {
  t.equal(answered('MESSAGE_TOO_LARGE'), 'refused')
  t.equal(answered('RECORD_LIST_TOO_LARGE'), 'refused')
  t.equal(answered('INVALID_RECORD'), 'refused')
  t.equal(answered('INVALID_TOPIC_EXCEPTION'), 'refused')
})

t.test("the process's clock, and bytes that were damaged on the way, condemn no message", async t => {
  t.equal(answered('INVALID_TIMESTAMP'), 'unavailable')
  t.equal(answered('CORRUPT_MESSAGE'), 'unavailable')
})

t.test('what may have been appended is unknown', async t => {
  t.equal(answered('REQUEST_TIMED_OUT'), 'unknown')
  t.equal(answered('NOT_ENOUGH_REPLICAS_AFTER_APPEND'), 'unknown')
  t.equal(classifyError(new Error('whatever')), 'unknown')
})

t.test('a topic that is missing or forbidden is named as what the failure is about', async t => {
  t.equal(aboutOf(brokerError('UNKNOWN_TOPIC_OR_PARTITION')), 'topic')
  t.equal(aboutOf(brokerError('TOPIC_AUTHORIZATION_FAILED')), 'topic')
  t.equal(aboutOf(brokerError('NOT_LEADER_OR_FOLLOWER')), undefined)
  t.equal(aboutOf(new Error('whatever')), undefined)
})
