import t from 'tap'
import { classifyError } from '../src/classify-error.ts'
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
