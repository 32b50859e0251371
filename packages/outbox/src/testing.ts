import type { Queryable } from '@steadfast/store/internal'
import { expectEvent as expectStored } from '@steadfast/store/testing'

/**
 * Finds the one event of a contract whose data contain a partial: in an open transaction (`request.tx`, or that of
 * `app.outbox.transaction`; what it buffers is written first), or, with a pool, among what has been committed. Takes
 * `(handle, contract, partial?, { schema }?)` and resolves with the event's row.
 *
 * @throws Error when there is none or more than one; the message lists the events of that contract that are there
 */
export const expectEvent: typeof expectStored = async (handle, contract, partial, options) => {
  await (handle as Queryable & { flush?: () => Promise<void> }).flush?.()
  return expectStored(handle, contract, partial, options)
}
