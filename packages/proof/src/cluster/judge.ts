import { check, describeViolations } from '../check/check.ts'
import type { Bounds, Evidence, LogRecord } from '../check/evidence.ts'
import { collectEvidence } from './collect.ts'
import { settle } from './settle.ts'
import type { Cluster } from './start-cluster.ts'

/** What the services are allowed after healing. */
export const BOUNDS: Bounds = { unfinishedMs: 30_000, exitMs: 10_000, deadTuples: 1500, claimBuffers: 400 }

export interface JudgeOptions {
  deleted: readonly LogRecord[]
  /** What a person does while all settles; resolves with how much there was to do. */
  work(): Promise<number>
  log(line: string): void
}

/** Lets everything settle, ends the services in an orderly way, collects what there is to know, and judges. */
export async function judge(
  cluster: Cluster,
  { deleted, work, log }: JudgeOptions
): Promise<{ evidence: Evidence; violations: string[] }> {
  const final = await settle(cluster, { bounds: BOUNDS, work, log })
  await Promise.all(cluster.processes.map(process => process.terminate({ hold: true })))
  const evidence = await collectEvidence(cluster, { deleted, final, bounds: BOUNDS })
  return { evidence, violations: describeViolations(evidence, check(evidence)) }
}
