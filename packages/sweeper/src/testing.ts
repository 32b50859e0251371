import type { FastifyInstance } from 'fastify'
import type { SweepTally } from './create-sweeper.ts'

/**
 * Sweeps once and removes all that may go, as if it were `now`. For tests: they look into the future rather than wait
 * for it.
 */
export function sweepOnce(app: FastifyInstance, { now }: { now?: Date } = {}): Promise<SweepTally> {
  return app.sweeper.tick(now === undefined ? { purgeAll: true } : { now, purgeAll: true })
}
