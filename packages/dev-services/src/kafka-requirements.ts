import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { java, preparedMark } from './kafka-files.ts'

const run = promisify(execFile)

export type KafkaRequirements = { ok: true } | { ok: false; reason: string }

const MINIMUM_JAVA = 17

/** Whether this machine can run a broker: Java ≥ 17, and Maven as long as the jars are not fetched yet. */
export async function kafkaRequirements(): Promise<KafkaRequirements> {
  let version: string
  try {
    version = /version "(\d+)/.exec((await run(java, ['-version'])).stderr)?.[1] ?? ''
  } catch {
    return { ok: false, reason: 'Java ≥ 17 and Maven needed: no java found' }
  }
  if (Number(version) < MINIMUM_JAVA) {
    return { ok: false, reason: `Java ≥ 17 and Maven needed: java is version ${version === '' ? 'unknown' : version}` }
  }
  if (existsSync(preparedMark)) return { ok: true }
  try {
    await run('mvn', ['--version'])
    return { ok: true }
  } catch {
    return { ok: false, reason: 'Java ≥ 17 and Maven needed: no mvn found' }
  }
}
