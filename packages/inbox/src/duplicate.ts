import type { TransactionControl } from '@steadfast/outbox'
import {
  type Db,
  getDelivery,
  type NewDelivery,
  replayAnswers,
  type StoredDelivery,
  storeOn,
  tellParked
} from '@steadfast/store/internal'
import { parkAnswered, signalsTo } from './answers.ts'
import { inProgressSignal } from './signals.ts'
import type { Consumer } from './types.ts'

/**
 * What a duplicate is good for: its sender has not heard, so it hears again. The stored answer goes out under its own
 * id; where there is none yet, the sender learns that the event is at work. Nothing else is sent again.
 */
export async function answerDuplicate(
  consumer: Consumer,
  db: Db,
  tx: Pick<TransactionControl, 'write'>,
  known: StoredDelivery
): Promise<void> {
  // Answers are the service's own; other groups only handle.
  if (!consumer.isOwn) return
  const { state, envelope, error } = known
  if (state === 'DONE' || state === 'REFUSED') {
    const { answers } = await replayAnswers(db, {
      causationId: envelope.id,
      source: consumer.host.outbox.source,
      of: state
    })
    if (state === 'REFUSED' && error) await parkAgain(consumer, db, known, 'ANSWER_REFUSED', error)
    if (answers > 0 || state === 'REFUSED') return
  } else if (state === 'HELD' && error) await parkAgain(consumer, db, known, 'ANSWER_HELD', error)
  const signal = signalsTo(consumer, known) ? inProgressSignal(known, consumer.host.outbox.source) : undefined
  if (signal !== undefined) await tx.write(signal)
}

// Told of before COMMIT: if that fails, the delivery comes again, and this is told of again.
async function parkAgain(...parking: Parameters<typeof parkAnswered>): Promise<void> {
  const parked = await parkAnswered(...parking)
  if (parked !== undefined) tellParked(parking[0].log, parked)
}

/**
 * Answers a duplicate of a delivery that ends before its handler could see that it is known: what does not fit its
 * contract, or is no event.
 */
export async function answerKnown(consumer: Consumer, row: NewDelivery): Promise<void> {
  const { consumer: name, eventId } = row
  const { outbox } = consumer.host
  await outbox.transaction(async tx => {
    const db = storeOn(tx, consumer.schema)
    const known = await getDelivery(db, name, eventId)
    if (known !== undefined && !isSameRecord(consumer, known, row))
      await answerDuplicate(consumer, db, outbox.control(tx), known)
  })
}

/**
 * Whether a known delivery is the very record that was known: read again after a crash, a change of owner or a rewind,
 * and not sent again by anybody. Without a log, places in it say nothing.
 */
export function isSameRecord({ host }: Consumer, known: NewDelivery, row: NewDelivery): boolean {
  return host.transport.capabilities.rewind && known.topic === row.topic && known.position === row.position
}
