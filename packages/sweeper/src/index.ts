import type {} from '@fastify/postgres'
import { parseOptions } from '@steadfast/events'
import { DEFAULT_SCHEMA, requireSchema } from '@steadfast/store'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Pool } from 'pg'
import { Type } from 'typebox'
import { createSweeper, type Sweeper } from './create-sweeper.ts'
import { checkRetention, type Retention } from './retention.ts'
import { startSchedule } from './start-schedule.ts'

export type { Sweeper, SweepTally, TickOptions } from './create-sweeper.ts'
export * as errors from './errors.ts'
export type { Retention } from './retention.ts'

declare module 'fastify' {
  interface FastifyInstance {
    sweeper: Sweeper
  }
}

/** Options of the sweeper. All durations in ms. */
export interface SweeperOptions {
  /** Between two sweeps; node-cron counts it in whole seconds. Default 1000. */
  sweepIntervalMs?: number
  /** `false`: only `tick()` works. Default true. */
  schedule?: boolean
  /** Events that one sweep looks at. Default 1000. */
  sweepLimit?: number
  /** Resends that may wait for the relay at a time, so that they never starve fresh events. Default 100. */
  maxResendsOutstanding?: number
  /** How long finished rows stay; `false` removes nothing. See {@link Retention} for the defaults. */
  retention?: Partial<Retention> | false
  /** Between two walks over the tables for what is old. Default 60,000. */
  purgeIntervalMs?: number
  /** Rows that one batch of such a walk looks at. Default 1000. */
  purgeBatch?: number
  /** The longest wait for a lock. Default 2000. */
  lockTimeoutMs?: number
  /** The longest statement. Default 10,000. */
  statementTimeoutMs?: number
  /** How long closing waits for the tick under way. Default 5000. */
  closeDeadlineMs?: number
  /** Schema of Steadfast's tables. Default: the outbox's, else `steadfast`. */
  schema?: string
  /** Where the one connection it uses at a time comes from. Default `fastify.pg.pool`. */
  pool?: Pool
}

const positive = (fallback: number) => Type.Integer({ minimum: 1, maximum: 2 ** 31 - 1, default: fallback })
const Options = Type.Object({
  sweepIntervalMs: positive(1000),
  schedule: Type.Boolean({ default: true }),
  sweepLimit: positive(1000),
  maxResendsOutstanding: positive(100),
  retention: Type.Unsafe<Partial<Retention> | false>({ anyOf: [{ type: 'object' }, { const: false }], default: {} }),
  purgeIntervalMs: positive(60_000),
  purgeBatch: positive(1000),
  lockTimeoutMs: positive(2000),
  statementTimeoutMs: positive(10_000),
  closeDeadlineMs: positive(5000),
  schema: Type.Optional(Type.String()),
  pool: Type.Optional(Type.Unsafe<Pool>({}))
})

async function sweeperPlugin(fastify: FastifyInstance, given: SweeperOptions): Promise<void> {
  const options = parseOptions('@steadfast/sweeper', Options, given)
  const retention = options.retention === false ? false : checkRetention(options.retention)
  const { outbox } = fastify as unknown as { outbox?: { schema: string } }
  const pool = options.pool ?? fastify.pg.pool
  const schema = options.schema ?? outbox?.schema ?? DEFAULT_SCHEMA
  const log = fastify.log.child({ name: '@steadfast/sweeper' })
  const sweeper = createSweeper({
    ...options,
    pool,
    schema,
    retention,
    resent: () => (fastify as unknown as { relay?: { wake(): void } }).relay?.wake()
  })
  const lost = ({ message }: Error) => log.debug({ reason: message }, 'an idle connection was lost')
  pool.on('error', lost)
  fastify.decorate('sweeper', sweeper)
  let stop = () => {}

  fastify.addHook('onReady', async () => {
    await requireSchema(pool, schema)
    if (options.schedule) stop = startSchedule(options.sweepIntervalMs, () => sweeper.tick(), log)
  })
  fastify.addHook('preClose', async () => {
    stop()
    await sweeper.close()
  })
  // The pool of the server keeps its listener: it ends after this plugin does, and may lose a connection until then.
  const { pool: ownPool } = options
  if (ownPool !== undefined) fastify.addHook('onClose', async () => void ownPool.off('error', lost))
}

export const sweeper = fp(sweeperPlugin, {
  fastify: '5.x',
  name: '@steadfast/sweeper',
  dependencies: ['@fastify/postgres']
})
export default sweeper
