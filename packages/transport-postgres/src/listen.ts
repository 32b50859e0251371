import pg from 'pg'
import type { Announcement } from './announce.ts'
import type { Hub } from './hub.ts'
import { startLoop } from './loop.ts'
import type { Logger } from './options.ts'

export interface Listener {
  stop(): Promise<void>
}

export interface ListenOptions {
  config: pg.ClientConfig
  channel: string
  /** Whose announcements are not for this process: its own. */
  sender: string
  hub: Hub
  logger: Logger
}

const HEARTBEAT_MS = 30_000
const ANSWER_MS = 5000

/**
 * Hears NOTIFY on a connection of its own, made again when it breaks. A heartbeat notices a connection that is dead
 * without saying so. Polling goes on all the time, so nothing depends on this.
 */
export function startListening({ channel, sender, hub, logger, ...options }: ListenOptions): Listener {
  const config = Object.assign(options.config, {
    connectionTimeoutMillis: ANSWER_MS,
    query_timeout: ANSWER_MS,
    keepAlive: true
  })
  let client: pg.Client | undefined
  let connecting: pg.Client | undefined
  let stopped = false

  async function connect(): Promise<void> {
    const fresh = new pg.Client(config)
    const onEnd = () => {
      if (client !== fresh) return
      client = undefined
      loop.poke()
    }
    fresh.on('error', onEnd)
    fresh.on('end', onEnd)
    fresh.on('notification', ({ payload }) => hear(payload ?? '{}'))
    connecting = fresh
    try {
      await fresh.connect()
      await fresh.query(`listen "${channel}"`)
    } catch (error) {
      destroy(fresh)
      throw error
    } finally {
      connecting = undefined
    }
    if (stopped) return destroy(fresh)
    client = fresh
    hub.tellAll()
  }

  function hear(payload: string): void {
    const announcement = parse(payload)
    if (announcement?.sender === sender) return
    if (!announcement?.topics || !announcement.groups) hub.tellAll()
    else hub.tell({ topics: announcement.topics, groups: announcement.groups })
  }

  const loop = startLoop({
    async run() {
      if (client === undefined) await connect()
      else await beat(client)
      return HEARTBEAT_MS
    },
    onError: error => logger.debug({ err: error }, 'LISTEN failed; polling meanwhile')
  })

  async function beat(current: pg.Client): Promise<void> {
    try {
      await current.query('select 1')
    } catch (error) {
      if (client === current) client = undefined
      destroy(current)
      throw error
    }
  }

  return {
    async stop() {
      stopped = true
      const open = [client, connecting]
      client = undefined
      for (const each of open) if (each) destroy(each)
      await loop.stop()
    }
  }
}

// end() would wait for the answer of a server that may be away.
function destroy(client: pg.Client): void {
  client.on('error', () => {})
  client.end().catch(() => {})
  ;(client as unknown as { connection?: { stream?: { destroy?(): void } } }).connection?.stream?.destroy?.()
}

function parse(payload: string): Announcement | undefined {
  try {
    return JSON.parse(payload) as Announcement
  } catch {
    return undefined
  }
}
