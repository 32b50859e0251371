import { type ParkedMessage, parkedChannel } from './channels.ts'

/** So many of the ids stand in a line of the log. */
const NAMED = 20

interface Log {
  error(about: object, message: string): void
}

/** Tells, in the log and on the channel `steadfast:store:parked`, that events wait for a person. Of none: nothing. */
export function tellParked(log: Log, parked: ParkedMessage): void {
  const { eventIds, ...about } = parked
  if (eventIds.length === 0) return
  log.error({ ...about, count: eventIds.length, eventIds: eventIds.slice(0, NAMED) }, 'parked: waits for a person')
  if (parkedChannel.hasSubscribers) parkedChannel.publish(parked)
}
