import { defineEvent } from '@steadfast/events'
import { Type } from 'typebox'

/** The nth event of a key. */
export const Counted = defineEvent({
  type: 'test.counted',
  topic: process.env.TOPIC ?? 'counted',
  key: data => data.key,
  data: Type.Object({ key: Type.String(), n: Type.Integer() })
})
