import { setTimeout as sleep } from 'node:timers/promises'
import { countFigures, type Figures, type Ledgers } from './count-figures.ts'

/** Longer than the longest pause of the sweeper's schedule in the demo: 4 s doubled five times. */
const STALL_MS = 150_000

/**
 * Waits until every order of the ledger has its end and every request its confirmation (or a person's attention).
 * Gives up when nothing has changed for longer than any deadline: then something is lost.
 */
export async function waitUntilSettled(
  ledgers: Ledgers,
  orders: number,
  signal: AbortSignal
): Promise<Figures | undefined> {
  let last = ''
  let changed = performance.now()
  while (!signal.aborted) {
    const figures = await countFigures(ledgers).catch(() => undefined)
    if (figures !== undefined) {
      if (figures.accepted >= orders && figures.unfinished === 0 && figures.unsettled === 0) return figures
      const text = JSON.stringify(figures)
      if (text !== last) changed = performance.now()
      last = text
    }
    if (performance.now() - changed > STALL_MS) return figures
    await sleep(200, undefined, { signal }).catch(() => {})
  }
  return undefined
}
