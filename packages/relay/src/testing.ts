import type { FastifyInstance } from 'fastify'
import type { Tally } from './create-relay.ts'

/**
 * Sends all that is due now and resolves when it is marked. For tests that register the relay with
 * `schedule: false`, or do not want to wait for it.
 */
export function relayOnce(app: FastifyInstance): Promise<Tally> {
  return app.relay.tick({ everything: true })
}
