import { channel } from 'node:diagnostics_channel'
import type { NewEvent } from '@steadfast/events'

/** What `steadfast:outbox:before-commit` and `steadfast:outbox:after-commit` carry. */
export interface CommitMessage {
  /** The events in the transaction, in the order they were written; none if it sends none. */
  events: readonly NewEvent[]
}

/** `steadfast:outbox:before-commit`: everything is written and COMMIT is the next thing sent. */
export const beforeCommit = channel('steadfast:outbox:before-commit')
/** `steadfast:outbox:after-commit`: PostgreSQL has answered COMMIT; the HTTP answer has not been sent. */
export const afterCommit = channel('steadfast:outbox:after-commit')
