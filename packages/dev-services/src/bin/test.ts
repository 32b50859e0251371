#!/usr/bin/env node
// The project's test: lint, types, packing (with CI=true or --pack), then tap over everything, then the plugins once
// more through pgbouncer where it is installed (with CI=true it must be). Every stage runs, also after a failed one. A
// failed stage counts as one failure in the last line.
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { checkPacking } from '../check-packing.ts'
import { findPgbouncer } from '../launch-pgbouncer.ts'
import { root } from '../repository.ts'
import { runTap, sumLine, type TapResult } from '../run-tap.ts'
import { runTool } from '../run-tool.ts'
import { startTestServers } from '../test-servers.ts'

const failedStages: string[] = []
const failedTests: string[] = []

async function stage(name: string, work: () => Promise<boolean>): Promise<void> {
  console.log(`# ${name}`)
  try {
    if (await work()) return
  } catch (error) {
    console.error(error)
  }
  console.log(`# ${name}: FAILED`)
  failedStages.push(name)
}

const tool = async (...command: string[]) => (await runTool(command, { print: true })).exitCode === 0
const ci = process.env.CI === 'true'
const sum: TapResult = { exitCode: 0, passed: 0, failed: 0, skipped: 0 }

async function tests(files: string[], env: NodeJS.ProcessEnv): Promise<boolean> {
  const result = await runTap(files, env)
  for (const key of ['exitCode', 'passed', 'failed', 'skipped'] as const) sum[key] += result[key]
  failedTests.push(...(result.failures ?? []))
  // failed tests are in the sum already
  return result.exitCode === 0 || result.failed > 0
}

await stage('lint', () => tool('biome', 'check', '.'))
await stage('types', () => tool('tsc', '-b', 'packages', '--checkers', '1'))
if (ci || process.argv.includes('--pack')) await stage('packing', async () => (await checkPacking()).failed === 0)
await stage('tests', async () => {
  const pgbouncer = ci || findPgbouncer() !== undefined
  const servers = await startTestServers({ pgbouncer })
  try {
    const { TEST_PGBOUNCER_PORT, ...direct } = servers.env
    const ran = await tests([], direct)
    if (!pgbouncer) {
      console.log('# tests through pgbouncer: left out, it is not installed')
      return ran
    }
    console.log('# tests through pgbouncer')
    // what they say of many processes, of floods and of pauses has nothing to do with a pooler, and takes minutes
    const long = ['order*', 'poison*', 'leave-group', 'world', 'waiting*', 'retry-pool']
    const exclude = long.map(name => `packages/inbox/test/${name}.test.ts`)
    const plugins = globSync('packages/{outbox,relay,sweeper,inbox}/test/*.test.ts', { cwd: root, exclude })
    const again = await tests(
      plugins.map(file => join(root, file)),
      { ...direct, TEST_PGBOUNCER_PORT }
    )
    return ran && again
  } finally {
    await servers.stop()
  }
})

// once more at the end, where whoever keeps only the end of a long log finds them
for (const failure of failedTests) console.log(`# failed: ${failure}`)
if (failedStages.length > 0) console.log(`# failed: ${failedStages.join(', ')}`)
console.log(sumLine({ ...sum, failed: sum.failed + failedStages.length }))
process.exitCode = failedStages.length > 0 || sum.exitCode > 0 ? 1 : 0
