export { backoffMs, jitter, pause } from './backoff.ts'
export { settlesWithin, within } from './deadline.ts'
export { type SerialQueue, serialQueue } from './queue.ts'
