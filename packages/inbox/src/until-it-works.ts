import type { Consumer } from './consumer.ts'

/** Runs bookkeeping outside a handler until the database has done it: what fails here is never the event's fault. */
export async function untilItWorks<T>(consumer: Consumer, work: () => Promise<T>): Promise<T> {
  for (;;) {
    const pass = await consumer.gate.enter()
    try {
      const result = await work()
      pass.good()
      return result
    } catch (error) {
      pass.bad(error)
    }
  }
}
