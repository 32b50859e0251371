import { setTimeout as sleep } from 'node:timers/promises'
import { until } from '@steadfast/dev-services'
import type { LogRecord } from '../../check/evidence.ts'
import type { Cluster } from '../../cluster/start-cluster.ts'
import type { Random } from '../../random.ts'

/** What a fault may use. */
export interface FaultContext {
  cluster: Cluster
  random: Random
  /** Records that a fault took from the log, read before. */
  deleted: LogRecord[]
}

/** A fault: it hurts, lasts, and is gone when the promise resolves. */
export interface Fault {
  name: string
  target: string
  /** What no other fault may touch meanwhile. */
  uses: string[]
  run(): Promise<unknown>
}

/** Makes one of its kind, with its target and length chosen by the random numbers. */
export type FaultKind = (context: FaultContext) => Fault

/** As long as the random numbers say. */
export const pause = (random: Random, low: number, high: number) => sleep(random.between(low, high))

export const serviceOf = (random: Random) => random.pick(['market', 'deploy'] as const)

/** Tries until the server takes it: another fault may have it down. */
export async function insist(work: () => Promise<unknown>): Promise<void> {
  let reason: unknown
  const done = async () => {
    try {
      await work()
      return true
    } catch (error) {
      reason = error
      return false
    }
  }
  await until(done, { timeoutMs: 60_000, intervalMs: 200 }).catch(() => {
    throw reason ?? new Error('no answer for 60 s')
  })
}
