import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { check, describeViolations } from '../check/check.ts'
import type { Bounds, Evidence, LogRecord } from '../check/evidence.ts'
import { collectEvidence } from './collect.ts'
import { offsetsOf } from './read-log.ts'
import { settle } from './settle.ts'
import type { Cluster } from './start-cluster.ts'

/** What the services are allowed after healing. */
export const BOUNDS: Bounds = { unfinishedMs: 30_000, exitMs: 29_000, deadTuples: 1500, claimBuffers: 400 }

const SLOW_MS = 6000

export interface JudgeOptions {
  deleted: readonly LogRecord[]
  /** What a person does while all settles; resolves with how much there was to do. */
  work(): Promise<number>
  log(line: string): void
  /** How long all may take to settle. */
  longestMs?: number
}

/** Lets everything settle, ends the services in an orderly way, collects what there is to know, and judges. */
export async function judge(
  cluster: Cluster,
  { deleted, work, log, longestMs }: JudgeOptions
): Promise<{ evidence: Evidence; violations: string[] }> {
  const final = await settle(cluster, { bounds: BOUNDS, work, log, longestMs })
  await inspectAll(cluster, 'settled')
  const slow = setTimeout(() => void inspectAll(cluster, 'slow to end'), SLOW_MS)
  await Promise.all(cluster.processes.map(process => process.terminate({ hold: true })))
  clearTimeout(slow)
  const evidence = await collectEvidence(cluster, { deleted, final, bounds: BOUNDS })
  const violations = check(evidence)
  if (violations.length > 0) writeFileSync(join(cluster.dir, 'evidence.json'), JSON.stringify(evidence, null, 1))
  return { evidence, violations: describeViolations(evidence, violations) }
}

/** For whoever looks for the reason of a violation: what everybody was at. */
async function inspectAll({ processes, pools, kafka, dir }: Cluster, when: string): Promise<void> {
  const inspections = await Promise.all(processes.map(async p => [p.name, JSON.parse((await p.inspect()) ?? 'null')]))
  const sessions = await pools.market
    .query(
      `select pid, datname, application_name, state, wait_event, now() - state_change as since, left(query, 200) as query
       from pg_stat_activity where application_name in ('market', 'deploy') order by state_change`
    )
    .then(({ rows }) => rows)
    .catch(String)
  const offsets = await offsetsOf(kafka.direct).catch(String)
  const told = { inspections: Object.fromEntries(inspections), offsets, sessions }
  writeFileSync(join(dir, `${when}.json`), JSON.stringify(told, null, 1))
}
