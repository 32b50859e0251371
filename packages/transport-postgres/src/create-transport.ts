import type { Subscription, Transport } from '@steadfast/events'
import { settlesWithin } from '@steadfast/events/runtime'
import type { ClientConfig } from 'pg'
import { channelOf, createAnnouncer } from './announce.ts'
import { connect } from './connect.ts'
import { openDatabase } from './database.ts'
import { Closed } from './errors.ts'
import { createHealth } from './health.ts'
import { createHub } from './hub.ts'
import { type Listener, startListening } from './listen.ts'
import { type Logger, type PostgresTransportOptions, readSettings, type Settings, silent } from './options.ts'
import { publishBatch } from './publish.ts'
import { startPurging } from './retention.ts'
import { joinGroup } from './subscribe.ts'
import { createTopics } from './topics.ts'

/** The transport on PostgreSQL, with what only it can do. */
export interface PostgresTransport extends Transport {
  /** Deletes messages that are over `retentionMs`; this happens by itself once a minute. Returns how many. */
  purge(): Promise<number>
}

/**
 * A transport on a small log in PostgreSQL. Its tables are made on first use. It begins to connect at once, and
 * `health()` tells how that goes.
 *
 * @throws SF_OPTIONS_INVALID, SF_TRANSPORT_POSTGRES_OPTION_INVALID
 */
export function createPostgresTransport(options: PostgresTransportOptions): PostgresTransport {
  const settings = readSettings(options)
  const logger = settings.logger ?? silent
  const db = openDatabase(settings, logger)
  const health = createHealth(logger)
  const hub = createHub()
  const announcer = createAnnouncer(db, hub, settings.notify)
  const topics = createTopics(db, settings.partitions)
  const connection = connect(db, health)
  const purging = startPurging(db, settings, connection.ready, logger)
  const subscriptions = new Set<Promise<Subscription>>()
  let listener: Listener | undefined
  let closing: Promise<void> | undefined

  async function closeAll(deadlineMs: number): Promise<void> {
    const end = performance.now() + deadlineMs
    const leaving = [...subscriptions].map(async subscription => (await subscription).close(deadlineMs))
    await Promise.allSettled(leaving)
    const remainingMs = () => Math.max(100, end - performance.now())
    await settlesWithin(Promise.all([connection.stop(), purging.stop(), listener?.stop()]), remainingMs())
    await db.close(remainingMs())
  }

  return {
    name: 'postgres',
    capabilities: { order: 'key', rewind: true, maxBytes: settings.maxBytes },
    async ensureTopics(wanted) {
      if (closing) throw new Closed()
      await connection.ready()
      for (const { name, partitions } of wanted) await topics.ensure(name, partitions)
    },
    publish: (batch, signal) =>
      publishBatch(
        {
          db,
          topics,
          ready: connection.ready,
          maxBytes: settings.maxBytes,
          timeoutMs: settings.publishTimeoutMs,
          stored: names => announcer.announce({ topics: names }),
          failed: error => closing ?? connection.failed(error)
        },
        batch,
        signal
      ),
    async subscribe(wanted, onDelivery) {
      if (closing) throw new Closed()
      listener ??= listen(settings, logger)
      const context = { db, topics, settings, logger, health, hub, announcer, ready: connection.ready }
      const joining = joinGroup(context, wanted, onDelivery)
      subscriptions.add(joining)
      const subscription = await joining
      const close: Subscription['close'] = async deadlineMs => {
        await subscription.close(deadlineMs)
        subscriptions.delete(joining)
      }
      return { ...subscription, close }
    },
    health: () => (closing ? { ready: false, reason: 'closed' } : health.state()),
    purge: () => purging.purge(),
    close(deadlineMs) {
      closing ??= closeAll(deadlineMs)
      return closing
    }
  }

  function listen(
    { notify, pool, listenConnectionString, connectionString }: Settings,
    log: Logger
  ): Listener | undefined {
    if (!notify) return undefined
    const url = listenConnectionString ?? connectionString
    const config = url === undefined ? configOf(pool) : { connectionString: url }
    return startListening({ config, channel: channelOf(db.schema), sender: announcer.sender, hub, logger: log })
  }
}

// The pool hides the password from enumeration, so a spread alone would lose it.
function configOf(pool: Settings['pool']): ClientConfig {
  const { password } = pool?.options ?? {}
  return { ...pool?.options, ...(password === undefined ? {} : { password }) }
}
