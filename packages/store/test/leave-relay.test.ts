import t from 'tap'
import { leaveRelay } from '../src/verbs/event/leave-relay.ts'
import { checkSchema } from './schema-check.ts'
import { idFrom } from './seed.ts'

// That the others see it: beat-relay.test.ts
t.test('names its schema', t => checkSchema(t, db => leaveRelay(db, idFrom(0), { staleMs: 5000 })))
