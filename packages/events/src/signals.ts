import { Type } from 'typebox'
import { buildContract } from './define-event.ts'

// The topic of a signal is the `replyto` of the request it speaks of; the contract's own is never used.
const topic = 'steadfast.signals'

/** The consumer will not do what the event asks: a verdict, with its reason. Parks the event at its sender. */
export const RefusedSignal = buildContract({
  type: 'steadfast.refused',
  topic,
  data: Type.Object({
    eventId: Type.String(),
    consumer: Type.String(),
    status: Type.Integer(),
    code: Type.Optional(Type.String()),
    message: Type.String()
  })
})

/** The consumer has the event and works on it: extends its deadline, uncounted. */
export const InProgressSignal = buildContract({
  type: 'steadfast.in-progress',
  topic,
  data: Type.Object({ eventId: Type.String(), consumer: Type.String() })
})

/** The consumer has handled the event: confirms one that `awaits: { receipt: true }`. */
export const ReceiptSignal = buildContract({
  type: 'steadfast.receipt',
  topic,
  data: Type.Object({ eventId: Type.String(), consumer: Type.String() })
})
