import { type Db, getDelivery, type NewDelivery, replayAnswers, type StoredDelivery, storeOn } from '@steadfast/store'
import { parkAnswered, signalsTo } from './conclude.ts'
import type { Consumer } from './consumer.ts'
import type { DeliveryTransaction } from './host.ts'
import { inProgressSignal } from './signals.ts'

/**
 * What a duplicate is good for: its sender has not heard, so it hears again. The stored answer goes out under its own
 * id; where there is none yet, the sender learns that the event is at work. Nothing else is sent again.
 */
export async function answerDuplicate(
  consumer: Consumer,
  db: Db,
  tx: Pick<DeliveryTransaction, 'write'>,
  known: StoredDelivery
): Promise<void> {
  const { state, eventId, error } = known
  if (state === 'DONE' || state === 'REFUSED') {
    const { answers } = await replayAnswers(db, eventId, state)
    if (state === 'REFUSED' && error) await parkAnswered(consumer, db, known, 'ANSWER_REFUSED', error)
    if (answers > 0 || state === 'REFUSED') return
  } else if (state === 'HELD' && error) await parkAnswered(consumer, db, known, 'ANSWER_HELD', error)
  const signal = signalsTo(consumer, known) ? inProgressSignal(known, consumer.host.outbox.source) : undefined
  if (signal !== undefined) await tx.write(signal)
}

/**
 * Answers a duplicate of a delivery that ends before its handler could see that it is known: what does not fit its
 * contract, or is no event.
 */
export async function answerKnown(consumer: Consumer, { consumer: name, eventId }: NewDelivery): Promise<void> {
  await consumer.host.outbox.transaction(async tx => {
    const db = storeOn(tx, consumer.schema)
    const known = await getDelivery(db, name, eventId)
    if (known !== undefined) await answerDuplicate(consumer, db, tx, known)
  })
}
