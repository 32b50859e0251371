import {
  countUnknown,
  type DeliveryError,
  endIgnored,
  leaveUnknown,
  type NewDelivery,
  type StoredDelivery,
  turnUnknown,
  type UnknownCount
} from '@steadfast/store/internal'
import { refuse, refuseUnstorable, storeFresh } from './apply.ts'
import { clip } from './believe.ts'
import { aboutRow, channels } from './channels.ts'
import { isNewer } from './data-version.ts'
import { asDeliveryError } from './delivery-error.ts'
import { NewerVersion, UnknownType } from './errors.ts'
import type { Handler } from './registry.ts'
import type { Accepted, Consumer, Fresh } from './types.ts'
import { untilItWorks } from './until-it-works.ts'

/** The handler of this process for a delivery, or why there is none. */
export function handlerFor({ registry, name }: Consumer, { type, envelope }: NewDelivery): Handler | Error {
  const handler = registry.find(name, type)
  if (handler === undefined) return new UnknownType(clip(type))
  const { dataVersion } = handler.contract
  if (isNewer(envelope.dataVersion, dataVersion)) return new NewerVersion(envelope.dataVersion, type, dataVersion)
  return handler
}

/** Whether this process declares that its group does not want a type. */
export const isIgnored = ({ registry, name }: Consumer, { topic, type }: NewDelivery): boolean =>
  registry.find(name, type) === undefined && registry.ignores(topic, type)

/** Leaves a fresh delivery to a process that knows it. */
export async function leaveFresh(consumer: Consumer, fresh: Fresh, why: Error): Promise<Accepted> {
  const error = reasonOf(why)
  const left = { body: fresh.raw, patienceMs: consumer.options.unknownPatienceMs, error }
  // In its turn: what is before it in this process's memory has no row yet that it would have to wait behind.
  const stored = await consumer.chains.run(fresh.row, () =>
    untilItWorks<'stored' | 'refused' | 'duplicate'>(
      consumer,
      () => storeFresh(consumer, fresh, () => leaveUnknown(consumer.db, fresh.row, left)),
      async failure => ((await refuseUnstorable(consumer, fresh, failure)) ? 'refused' : 'duplicate')
    )
  )
  if (stored === 'stored') tell(consumer, fresh.row, error)
  return { outcome: stored === 'stored' ? 'set-aside' : stored, eventId: fresh.row.eventId, error }
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
  const verdict = { status: error.status ?? 404, error, expired: true }
  return await refuse(consumer, { row, raw: row.body ?? Buffer.alloc(0) }, verdict)
}

const reasonOf = (why: Error): DeliveryError => asDeliveryError(why, (why as { statusCode?: number }).statusCode)

/** So many types of what is left are named. */
const NAMED = 5

/** Counts what the group leaves for a process that knows it, unless this was done within the last `everyMs`. */
export async function countLeft({ db, name, left }: Consumer, everyMs: number): Promise<void> {
  if (performance.now() < left.countedAt + everyMs) return
  left.countedAt = performance.now()
  left.count = await countUnknown(db, name, { limit: NAMED })
}

/** For a person: how many deliveries wait for a process that knows them, and of which types, the most frequent first. */
export function leftInWords({ count, types, most }: UnknownCount): string {
  const named = most.map(({ type, count }) => `${clip(type)} (${count})`).join(', ')
  const others = types > most.length ? ` and ${types - most.length} other types` : ''
  return `${count} deliveries wait for a process that knows them: ${named}${others}`
}

function tell(consumer: Consumer, row: NewDelivery, error: DeliveryError): void {
  if (channels.setAside.hasSubscribers) channels.setAside.publish({ ...aboutRow(row), error })
  const { type } = row
  if (consumer.unknownTypes.has(type)) return
  consumer.unknownTypes.add(type)
  const about = { type: clip(type), code: error.code }
  consumer.log.warn(about, `type ${clip(type)} is not known to this process; left for one that knows it`)
}
