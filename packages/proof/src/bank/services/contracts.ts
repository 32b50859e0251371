import { defineEvent } from '@steadfast/events'
import { Type } from 'typebox'

const Payment = Type.Object({ paymentId: Type.String({ format: 'uuid' }) })

/** A payment that has been debited: is it honest? */
export const CheckRequested = defineEvent({
  type: 'bank.check.requested',
  topic: 'bank.checks',
  key: data => data.paymentId,
  awaits: { from: 'fraud', confirmWithinMs: 1500, maxSends: 3, resendBackoff: 1 },
  data: Type.Object({
    ...Payment.properties,
    amount: Type.Integer({ minimum: 1 }),
    /** What the check is to come to. A real one would look for itself. */
    course: Type.String()
  })
})

export const CheckPassed = defineEvent({
  type: 'fraud.check.passed',
  topic: 'fraud.results',
  key: data => data.paymentId,
  answers: CheckRequested,
  data: Payment
})

export const CheckFailed = defineEvent({
  type: 'fraud.check.failed',
  topic: 'fraud.results',
  key: data => data.paymentId,
  answers: CheckRequested,
  data: Type.Object({ ...Payment.properties, reason: Type.String() })
})
