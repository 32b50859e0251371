import { channel } from 'node:diagnostics_channel'

/** One deed of a person, after its transaction. */
export interface ActionMessage {
  action: 'resend' | 'resolve' | 'reprocess' | 'release' | 'replay' | 'stop-replay'
  /** The event's id, or the replay's. */
  id: string
  actor: string
  consumer?: string
}

/** One step of a bulk action, after its transaction. */
export interface BulkStepMessage {
  action: 'resend' | 'resolve' | 'reprocess'
  id: string
  /** `false`: its state had changed in the meantime, and nothing was done. */
  done: boolean
}

/** `steadfast:reconciliation:action`, with an {@link ActionMessage}. */
export const actionChannel = channel('steadfast:reconciliation:action')
/** `steadfast:reconciliation:bulk-step`, with a {@link BulkStepMessage}. */
export const bulkStepChannel = channel('steadfast:reconciliation:bulk-step')
