import { parseOptions } from '@steadfast/events'
import { findPool } from '@steadfast/events/postgres'
import type {} from '@steadfast/outbox'
import type {} from '@steadfast/relay'
import { requireSchema } from '@steadfast/store'
import { DEFAULT_SCHEMA, watchPool } from '@steadfast/store/internal'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { createSweeper, type Sweeper } from './create-sweeper.ts'
import { type SweeperOptions, SweeperOptionsSchema } from './options.ts'
import { checkRetention } from './retention.ts'
import { startSchedule } from './start-schedule.ts'

export type { Sweeper, SweeperHealth, SweepTally, TickOptions } from './create-sweeper.ts'
export * as errors from './errors.ts'
export type { SweeperOptions } from './options.ts'
export type { Retention } from './retention.ts'

declare module 'fastify' {
  interface FastifyInstance {
    sweeper: Sweeper
  }
}

async function sweeperPlugin(fastify: FastifyInstance, given: SweeperOptions): Promise<void> {
  const options = parseOptions('@steadfast/sweeper', SweeperOptionsSchema, given)
  const retention = options.retention === false ? false : checkRetention(options.retention)
  const outbox = fastify.hasDecorator('outbox') ? fastify.outbox : undefined
  const pool = findPool(fastify, '@steadfast/sweeper', options)
  const schema = options.schema ?? outbox?.schema ?? DEFAULT_SCHEMA
  const log = fastify.log.child({ name: '@steadfast/sweeper' })
  const sweeper = createSweeper({
    ...options,
    pool,
    schema,
    retention,
    log,
    // Registered after this plugin, perhaps.
    resent: () => fastify.hasDecorator('relay') && fastify.relay.wake()
  })
  const unwatch = watchPool(pool, log)
  fastify.decorate('sweeper', sweeper)
  let stop = () => {}

  fastify.addHook('onReady', async () => {
    await requireSchema(pool, schema, 'sweeper')
    if (options.schedule) stop = startSchedule(options.sweepIntervalMs, () => sweeper.tick(), log)
  })
  fastify.addHook('preClose', async () => {
    stop()
    await sweeper.close()
  })
  // The pool of the server keeps its listener: it ends after this plugin does, and may lose a connection until then.
  if (options.pool !== undefined) fastify.addHook('onClose', async () => unwatch())
}

export const sweeper = fp(sweeperPlugin, {
  fastify: '5.x',
  name: '@steadfast/sweeper'
})
export default sweeper
