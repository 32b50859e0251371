import type { Delivery, SubscribeOptions } from '@steadfast/events'
import { isMissing } from './classify-error.ts'
import { REVOCATION_DRAIN_MS } from './hand-out.ts'
import { createMember, type Member } from './member.ts'
import type { Logger, Settings } from './options.ts'
import type { TopicInfos } from './topic-info.ts'
import { asError, deferred, settled } from './within.ts'

/** Keeps a group membership, whatever happens to the broker or to kafkajs. */
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
  settings: Settings
  logger: Logger
  infos: TopicInfos
}

const FIRST_BACKOFF_MS = 200
const LAST_BACKOFF_MS = 5000
const TOPIC_POLL_MS = 1000

/** Builds a member, and a new one with backoff when it ends. A topic that does not exist yet is joined when it does. */
export function supervise(
  { settings, logger, infos }: SuperviseContext,
  { group, topics, maxInFlight }: SubscribeOptions,
  onDelivery: (delivery: Delivery) => void
): Supervisor {
  const log = (err: Error, before: Error | undefined) => {
    const level = before?.message === err.message ? 'debug' : 'warn'
    logger[level]({ err, group }, 'the consumer is rebuilt')
  }
  let member: Member | undefined
  let paused = false
  let closed = false
  let failure: Error | undefined = new Error('not joined yet')
  let backoffMs = FIRST_BACKOFF_MS
  let endLife: () => void = () => undefined
  let endNap: () => void = () => undefined
  const start = deferred<void>()
  const finished = run()

  async function run(): Promise<void> {
    while (!closed) {
      const reason = await live().catch(asError)
      if (closed) return
      if (reason) {
        log(reason, failure?.cause as Error | undefined)
        // kafkajs does not say which topic it could not read.
        failure = new Error(`group ${group} on ${topics.join(', ')}: ${reason.message}`, { cause: reason })
      }
      start.resolve()
      await member?.stop(reason ? 0 : REVOCATION_DRAIN_MS)
      member = undefined
      if (reason) await nap(backoffMs * (0.5 + Math.random() / 2))
      backoffMs = Math.min(backoffMs * 2, LAST_BACKOFF_MS)
    }
  }

  /** One life of a member. Resolves with the reason of its end, or with nothing when a missing topic has appeared. */
  async function live(): Promise<Error | undefined> {
    const { present, missing } = await partition(infos, topics)
    if (closed) return undefined
    if (present.length === 0) {
      failure = new Error(`topic ${missing.join(', ')} does not exist`)
      start.resolve()
      backoffMs = FIRST_BACKOFF_MS
      await nap(TOPIC_POLL_MS)
      return undefined
    }
    const end = deferred<Error | undefined>()
    const mine = createMember(settings, logger, {
      group,
      topics: present,
      maxInFlight,
      onDelivery,
      onEnd: end.resolve,
      onJoin() {
        failure = missing.length > 0 ? new Error(`topic ${missing.join(', ')} does not exist`) : undefined
        backoffMs = FIRST_BACKOFF_MS
        start.resolve()
      }
    })
    member = mine
    mine.setPaused(paused)
    mine.start().catch(error => end.resolve(asError(error)))
    const stopPolling = missing.length > 0 ? pollFor(infos, missing, () => end.resolve(undefined)) : undefined
    endLife = () => end.resolve(undefined)
    const reason = await end.promise
    stopPolling?.()
    return reason
  }

  function nap(ms: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, ms)
      endNap = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  return {
    started: start.promise,
    member: () => member,
    failure: () => failure,
    unread() {
      const reason = member?.unread()
      return reason && `group ${group}: ${reason}`
    },
    nudge: () => endNap(),
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
        endNap()
      }
      await settled(finished, 1000)
    }
  }
}

async function partition(
  infos: TopicInfos,
  topics: readonly string[]
): Promise<{ present: string[]; missing: string[] }> {
  const missing: string[] = []
  await Promise.all(
    topics.map(topic =>
      infos.load(topic).catch(thrown => {
        const error = asError(thrown)
        if (!isMissing(error)) throw error
        missing.push(topic)
      })
    )
  )
  return { present: topics.filter(topic => !missing.includes(topic)), missing }
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
