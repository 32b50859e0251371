import { type Channel, channel } from 'node:diagnostics_channel'

/** What a sweep took up, by id. */
export interface AfterSweep {
  resent: readonly string[]
  parked: readonly string[]
}

const named = <Message>(name: string) => channel(name) as unknown as Channel<Message>

/** Named points of the sweeper, published synchronously and only when somebody subscribes. */
export const beforeSweep: Channel<Record<string, never>> = named('steadfast:sweeper:before-sweep')
export const afterSweep: Channel<AfterSweep> = named('steadfast:sweeper:after-sweep')
