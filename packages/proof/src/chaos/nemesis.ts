import { setTimeout as sleep } from 'node:timers/promises'
import type { LogRecord } from '../check/evidence.ts'
import type { Cluster } from '../cluster/start-cluster.ts'
import type { Random } from '../random.ts'
import type { Fault, FaultKind } from './faults/fault.ts'
import { faultKinds } from './faults/kinds.ts'

export interface Nemesis {
  /** Faults so far. */
  readonly faults: number
  /** Records that it took from the log. */
  readonly deleted: LogRecord[]
  /** Resolves when all its faults are over. */
  done: Promise<void>
}

export interface NemesisOptions {
  cluster: Cluster
  random: Random
  stop: AbortSignal
  log(line: string): void
}

/** So many faults at the same time, at most. */
const AT_ONCE = 4
const MAX_GAP_MS = 1200

/**
 * Injects faults until it is told to stop: every kind comes once before any comes twice, alone or while others last.
 * The seed fixes kinds, targets, lengths and gaps; each is written down.
 */
export function startNemesis({ cluster, random, stop, log }: NemesisOptions): Nemesis {
  const { journal } = cluster
  const running = new Map<Promise<void>, Fault>()
  const nemesis = { faults: 0, deleted: [] as LogRecord[], done: Promise.resolve() }
  const isFree = (fault: Fault) => {
    const used = new Set([...running.values()].flatMap(({ uses }) => uses))
    return !fault.uses.some(name => used.has(name))
  }
  const inflict = (fault: Fault) => {
    nemesis.faults += 1
    const { name, target } = fault
    journal.write({ kind: 'fault', name, target, phase: 'begin' })
    const ran: Promise<void> = fault
      .run()
      .catch(error => log(`fault ${name} of ${target}: ${(error as Error).message}`))
      .then(() => {
        running.delete(ran)
        journal.write({ kind: 'fault', name, target, phase: 'end' })
      })
    running.set(ran, fault)
  }
  const run = async () => {
    let kinds: FaultKind[] = []
    while (!stop.aborted) {
      if (kinds.length === 0) kinds = random.shuffle(faultKinds(cluster))
      const fault = (kinds.pop() as FaultKind)({ cluster, random, deleted: nemesis.deleted })
      const atOnce = random.between(1, AT_ONCE)
      while (running.size >= atOnce || (!isFree(fault) && running.size > 0)) await Promise.race(running.keys())
      if (stop.aborted) break
      inflict(fault)
      await sleep(random.between(0, MAX_GAP_MS), undefined, { signal: stop }).catch(() => {})
    }
    await Promise.all(running.keys())
  }
  nemesis.done = run()
  return nemesis
}
