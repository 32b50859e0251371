export { settlesWithin, within } from './deadline.ts'
export { type SerialQueue, serialQueue } from './queue.ts'
