import { createLogSampler } from '@steadfast/events'
import type { FastifyRequest } from 'fastify'
import { type RefusedMessage, refusedChannel } from './channels.ts'

/** Of what the guard refuses: how often, and a trace. */
export interface Refusals {
  /** How many, since the plugin was registered. */
  count(): number
  /** Counts an error of the guard that is a refusal; logs it, of all together ten times a minute, and publishes it. */
  note(request: FastifyRequest, right: string | undefined, error: unknown): void
}

/** Whether an error says that somebody may not do something: 401 or 403. */
export const isRefusal = (error: unknown): boolean => [401, 403].includes(statusOf(error))

function statusOf(error: unknown): number {
  const { statusCode, status } = (error ?? {}) as { statusCode?: unknown; status?: unknown }
  return Number(statusCode ?? status)
}

export function createRefusals(): Refusals {
  // One account for all: who asks from many addresses would else fill the log.
  const sample = createLogSampler()
  let count = 0
  return {
    count: () => count,
    note(request, right, error) {
      if (!isRefusal(error)) return
      count++
      const { code } = error as { code?: unknown }
      const refused: RefusedMessage = {
        right: right ?? null,
        method: request.method,
        route: request.routeOptions.url ?? '',
        ip: request.ip,
        status: statusOf(error),
        code: typeof code === 'string' ? code : null
      }
      if (refusedChannel.hasSubscribers) refusedChannel.publish(refused)
      const { write, omitted } = sample('')
      if (write) request.log.warn({ ...refused, ...(omitted > 0 && { omitted }) }, 'refused')
    }
  }
}
