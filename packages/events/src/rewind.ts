import { isDate } from 'node:util/types'
import { RewindInvalid } from './errors.ts'

/**
 * Checks where a group is to be rewound to, before a transport touches anything: what is no valid time must never be
 * taken for one.
 *
 * @throws SF_EVENTS_REWIND_INVALID
 */
export function checkRewind(to: unknown): asserts to is 'beginning' | Date {
  if (to === 'beginning' || (isDate(to) && Number.isFinite(to.getTime()))) return
  throw new RewindInvalid(isDate(to) ? 'an invalid Date' : `${typeof to} ${String(to).slice(0, 100)}`)
}
