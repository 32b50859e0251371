import { type Channel, channel } from 'node:diagnostics_channel'

/** Published after each step, inside the transaction: nothing is committed yet. */
export interface MigrationMessage {
  schema: string
  version: number
  name: string
}

/** Events of this service that the machine has given up to a person, once that is committed. */
export interface ParkedMessage {
  eventIds: readonly string[]
  /** As `park_reason` has it, e.g. UNCONFIRMED. */
  reason: string
  /** For people; absent where each event has its own. */
  error?: string
}

/** `steadfast:store:parked`, with a {@link ParkedMessage}: by whichever plugin, and whatever the reason. */
export const parkedChannel: Channel<ParkedMessage> = channel(
  'steadfast:store:parked'
) as unknown as Channel<ParkedMessage>

/** `steadfast:store:migration`, with a {@link MigrationMessage}. */
export const migrationChannel = channel('steadfast:store:migration')
