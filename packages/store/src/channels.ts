import { channel } from 'node:diagnostics_channel'

/** Published after each step, inside the transaction: nothing is committed yet. */
export interface MigrationMessage {
  schema: string
  version: number
  name: string
}

/** `steadfast:store:migration`, with a {@link MigrationMessage}. */
export const migrationChannel = channel('steadfast:store:migration')
