import { createHash, randomUUID } from 'node:crypto'
import type { Delivery, SubscribeOptions } from '@steadfast/events'
import { settlesWithin } from '@steadfast/events/runtime'
import { nameIn } from './broker-error.ts'
import { type Driver, type Member, REVOCATION_DRAIN_MS } from './driver.ts'
import type { Logger, Settings } from './options.ts'
import type { TopicInfos } from './topic-info.ts'
import { createNap } from './wait.ts'
import { asError } from './within.ts'

/** Keeps a group membership, whatever happens to the broker. */
export interface Supervisor {
  /** Resolves at the first join or the first failure. */
  started: Promise<void>
  member(): Member | undefined
  setPaused(paused: boolean): void
  /** Why nothing can be consumed now. */
  failure(): Error | undefined
  /** Which partitions it was given and does not read, for a person. */
  unread(): string | undefined
  /** A broker was reached: ends a wait before the next try. */
  nudge(): void
  close(deadlineMs: number): Promise<void>
}

export interface SuperviseContext {
  driver: Driver
  settings: Settings
  logger: Logger
  infos: TopicInfos
}

const FIRST_BACKOFF_MS = 200
const LAST_BACKOFF_MS = 5000
const TOPIC_POLL_MS = 1000

/** Builds a member, and a new one with backoff when it ends. A topic that does not exist yet is joined when it does. */
export function supervise(
  { driver, settings, logger, infos }: SuperviseContext,
  { group, topics, maxInFlight }: SubscribeOptions,
  onDelivery: (delivery: Delivery) => void
): Supervisor {
  const log = (err: Error, before: Error | undefined) => {
    const level = before?.message === err.message ? 'debug' : 'warn'
    logger[level]({ err, group }, 'the consumer is rebuilt')
  }
  // By its own name a member is replaced at once. Another process that goes by the same one takes it away.
  let name = settings.instanceId ?? randomUUID()
  let member: Member | undefined
  let paused = false
  let closed = false
  let failure: Error | undefined = new Error('not joined yet')
  let backoffMs = FIRST_BACKOFF_MS
  let endLife: () => void = () => undefined
  const nap = createNap()
  const start = Promise.withResolvers<void>()
  const finished = run()

  async function run(): Promise<void> {
    while (!closed) {
      const reason = await live().catch(asError)
      if (closed) return
      if (reason) {
        log(reason, failure?.cause as Error | undefined)
        if (nameIn(reason) === 'FENCED_INSTANCE_ID') name = randomUUID()
        failure = new Error(`group ${group} on ${topics.join(', ')}: ${reason.message}`, { cause: reason })
      }
      start.resolve()
      await member?.stop(reason ? 0 : REVOCATION_DRAIN_MS)
      member = undefined
      if (reason) await nap.take(backoffMs * (0.5 + Math.random() / 2))
      backoffMs = Math.min(backoffMs * 2, LAST_BACKOFF_MS)
    }
  }

  /** One life of a member. Resolves with the reason of its end, or with nothing when a missing topic has appeared. */
  async function live(): Promise<Error | undefined> {
    const { present, absent } = await partition(infos, topics)
    if (closed) return undefined
    const lacking = absent.size === 0 ? undefined : new Error([...absent.values()].join('; '))
    if (present.length === 0) {
      failure = lacking
      start.resolve()
      backoffMs = FIRST_BACKOFF_MS
      await nap.take(TOPIC_POLL_MS)
      return undefined
    }
    const end = Promise.withResolvers<Error | undefined>()
    const mine = driver.createMember({
      group,
      topics: present,
      maxInFlight,
      instanceId: instanceIdOf(name, group, present),
      onDelivery,
      onEnd: end.resolve,
      onJoin() {
        failure = lacking
        backoffMs = FIRST_BACKOFF_MS
        start.resolve()
      }
    })
    member = mine
    mine.setPaused(paused)
    mine.start()
    const stopPolling = absent.size > 0 ? pollFor(infos, [...absent.keys()], () => end.resolve(undefined)) : undefined
    endLife = () => end.resolve(undefined)
    const reason = await end.promise
    stopPolling?.()
    return reason
  }

  return {
    started: start.promise,
    member: () => member,
    failure() {
      const reason = failure === undefined ? member?.failure() : undefined
      return reason === undefined ? failure : new Error(`group ${group}: ${reason}`)
    },
    unread() {
      const reason = member?.unread()
      return reason && `group ${group}: ${reason}`
    },
    nudge: nap.end,
    setPaused(value) {
      paused = value
      member?.setPaused(value)
    },
    async close(deadlineMs) {
      if (!closed) {
        closed = true
        start.resolve()
        await member?.stop(deadlineMs)
        endLife()
        nap.end()
      }
      await settlesWithin(finished, 1000)
    }
  }
}

/** A topic that is not there, or that this client may not read, keeps from no other. `absent`: why, by topic. */
async function partition(
  infos: TopicInfos,
  topics: readonly string[]
): Promise<{ present: string[]; absent: Map<string, string> }> {
  const absent = new Map<string, string>()
  await Promise.all(
    topics.map(topic =>
      infos.load(topic).catch(thrown => {
        const name = nameIn(thrown)
        if (name === 'UNKNOWN_TOPIC_OR_PARTITION') absent.set(topic, `topic ${topic} does not exist`)
        else if (name === 'TOPIC_AUTHORIZATION_FAILED')
          absent.set(topic, `topic ${topic} may not be seen: the right Describe, or Read, is missing`)
        else throw thrown
      })
    )
  )
  return { present: topics.filter(topic => !absent.has(topic)), absent }
}

/**
 * Members of other topics have other names: a broker deals nothing anew when a member comes back in its own place, and would
 * give it what it had.
 */
function instanceIdOf(name: string, group: string, topics: readonly string[]): string {
  const hash = createHash('sha256')
    .update([group, ...[...topics].sort()].join('\n'))
    .digest('hex')
  return `${name}-${hash.slice(0, 12)}`
}

function pollFor(infos: TopicInfos, missing: readonly string[], onAppeared: () => void): () => void {
  let stopped = false
  const timer = setInterval(() => {
    for (const topic of missing) {
      infos.load(topic).then(
        () => {
          if (!stopped) onAppeared()
        },
        () => undefined
      )
    }
  }, TOPIC_POLL_MS)
  timer.unref()
  return () => {
    stopped = true
    clearInterval(timer)
  }
}
