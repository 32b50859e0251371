import { backoffMs, pause } from '@steadfast/events/runtime'
import { isAboutRow } from './about-row.ts'
import type { Consumer } from './types.ts'

/** So often it is tried to store what became of a delivery, before it is refused without its body. */
export const STORE_TRIES = 3

/**
 * Runs bookkeeping outside a handler until the database has done it: what fails here is not the event's fault, unless the
 * database says that the row is what is wrong. Then it does `otherwise` after a few tries, and that until it works.
 */
export async function untilItWorks<T>(
  consumer: Consumer,
  work: () => Promise<T>,
  otherwise: (error: unknown) => Promise<T>
): Promise<T> {
  let failure: unknown
  for (let tries = 0; ; ) {
    const pass = await consumer.breaker.enter()
    if (pass === undefined) throw new Error('the group is left')
    try {
      const result = tries < STORE_TRIES ? await work() : await otherwise(failure)
      pass.good()
      return result
    } catch (error) {
      if (!isAboutRow(error)) {
        pass.bad(error)
        continue
      }
      failure = tries < STORE_TRIES ? error : failure
      pass.neutral()
      await pause(backoffMs(tries++, { firstMs: 10, lastMs: 30_000 }), consumer.closing)
    }
  }
}
