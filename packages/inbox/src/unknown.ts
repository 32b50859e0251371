import {
  type DeliveryError,
  endIgnored,
  leaveUnknown,
  type NewDelivery,
  type StoredDelivery,
  turnUnknown
} from '@steadfast/store'
import type { Accepted } from './accept-delivery.ts'
import { aboutRow, channels } from './channels.ts'
import { asDeliveryError } from './classify.ts'
import { refuse } from './conclude.ts'
import type { Consumer } from './consumer.ts'
import { isNewer } from './data-version.ts'
import { answerKnown } from './duplicate.ts'
import { NewerVersion, UnknownType } from './errors.ts'
import type { Handler } from './registry.ts'
import { untilItWorks } from './until-it-works.ts'

/** The handler of this process for a delivery, or why there is none. */
export function handlerFor({ registry, name }: Consumer, { type, envelope }: NewDelivery): Handler | Error {
  const handler = registry.find(name, type)
  if (handler === undefined) return new UnknownType(type)
  const { dataVersion } = handler.contract
  if (isNewer(envelope.dataVersion, dataVersion)) return new NewerVersion(envelope.dataVersion, type, dataVersion)
  return handler
}

/** Whether this process declares that its group does not want a type. */
export const isIgnored = ({ registry, name }: Consumer, { topic, type }: NewDelivery): boolean =>
  registry.find(name, type) === undefined && registry.ignores(topic, type)

/** Leaves a fresh delivery to a process that knows it. */
export async function leaveFresh(consumer: Consumer, row: NewDelivery, raw: Buffer, why: Error): Promise<Accepted> {
  const error = reasonOf(why)
  // In its turn: what is before it in this process's memory has no row yet that it would have to wait behind.
  const stored = await consumer.chains.run(row, () =>
    untilItWorks(consumer, async () => {
      const left = { body: raw, patienceMs: consumer.options.unknownPatienceMs, error }
      const isNew = await leaveUnknown(consumer.db, row, left)
      if (!isNew) await answerKnown(consumer, row)
      return isNew
    })
  )
  if (stored) tell(consumer, row, error)
  return { outcome: stored ? 'set-aside' : 'duplicate', eventId: row.eventId, error }
}

/**
 * Does with a stored delivery what may be done by a process that does not know it: it begins to wait, or its patience is
 * over. True when it is at its end.
 */
export async function leaveStored(consumer: Consumer, row: StoredDelivery, why: Error): Promise<boolean> {
  const { consumer: name, eventId, state } = row
  const error = reasonOf(why)
  if (state !== 'UNKNOWN') {
    const left = { consumer: name, eventId, patienceMs: consumer.options.unknownPatienceMs, error }
    if (await turnUnknown(consumer.db, left)) tell(consumer, row, error)
    return false
  }
  if (isIgnored(consumer, row)) return await endIgnored(consumer.db, name, eventId)
  return await refuse(consumer, { row, raw: row.body ?? Buffer.alloc(0) }, error.status ?? 404, error, {
    expired: true
  })
}

const reasonOf = (why: Error): DeliveryError => asDeliveryError(why, (why as { statusCode?: number }).statusCode)

function tell(consumer: Consumer, row: NewDelivery, error: DeliveryError): void {
  if (channels.setAside.hasSubscribers) channels.setAside.publish({ ...aboutRow(row), error })
  const { type } = row
  if (consumer.unknownTypes.has(type)) return
  consumer.unknownTypes.add(type)
  consumer.log.warn({ type, code: error.code }, `type ${type} is not known to this process; left for one that knows it`)
}
