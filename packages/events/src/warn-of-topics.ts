import { setTimeout as sleep } from 'node:timers/promises'
import { adviseOnTopic, type TopicNeeds } from './topic-facts.ts'
import type { Transport } from './transport.ts'

const AGAIN_MS = 30_000

/** Where the advice goes. */
interface Log {
  warn(about: object, text: string): void
  debug(about: object, text: string): void
}

/**
 * Looks once at what the broker keeps of topics, as soon as it answers, and warns by name where that is less than is needed.
 * Never rejects; ends early by the signal.
 */
export async function warnOfTopics(
  transport: Pick<Transport, 'describeTopics'>,
  needs: ReadonlyMap<string, TopicNeeds>,
  { log, signal }: { log: Log; signal: AbortSignal }
): Promise<void> {
  if (transport.describeTopics === undefined || needs.size === 0) return
  while (!signal.aborted) {
    try {
      for (const facts of await transport.describeTopics([...needs.keys()]))
        for (const advice of adviseOnTopic(facts, needs.get(facts.name) ?? {}))
          if (!signal.aborted) log.warn({ topic: facts.name }, `topic ${facts.name}: ${advice}`)
      return
    } catch (err) {
      log.debug({ err }, 'what the broker keeps of topics is not known yet')
      await sleep(AGAIN_MS, undefined, { signal, ref: false }).catch(() => {})
    }
  }
}
