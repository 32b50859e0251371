import { channel } from 'node:diagnostics_channel'

/** One deed of a person, after its transaction. */
export interface ActionMessage {
  action: 'resend' | 'resolve' | 'reprocess' | 'release' | 'replay' | 'stop-replay' | 'erase'
  /** The event's id, or the replay's; of an erasure the hash of the key. */
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

/** An attempt that the guard refused: by its own rules, or because the authorizer said no or asked for credentials. */
export interface RefusedMessage {
  /** The right that was demanded; `null`: the route has none, which never opens. */
  right: string | null
  method: string
  /** The pattern of the route, e.g. `/reconciliation/events/:id`. */
  route: string
  /** As Fastify knows it, see its `trustProxy`. */
  ip: string
  /** 401 or 403. */
  status: number
  /** Of the error that was answered; `null`: it has none. */
  code: string | null
}

/** `steadfast:reconciliation:action`, with an {@link ActionMessage}. */
export const actionChannel = channel('steadfast:reconciliation:action')
/** `steadfast:reconciliation:bulk-step`, with a {@link BulkStepMessage}. */
export const bulkStepChannel = channel('steadfast:reconciliation:bulk-step')
/** `steadfast:reconciliation:refused`, with a {@link RefusedMessage}. */
export const refusedChannel = channel('steadfast:reconciliation:refused')
