#!/usr/bin/env node
// The project's test: lint, types, packing (with CI=true or --pack), then tap over everything. Every stage runs, also
// after a failed one. A failed stage counts as one failure in the last line.
import { checkPacking } from '../check-packing.ts'
import { runTap, sumLine, type TapResult } from '../run-tap.ts'
import { runTool } from '../run-tool.ts'
import { startTestServers } from '../test-servers.ts'

const failures: string[] = []

async function stage(name: string, work: () => Promise<boolean>): Promise<void> {
  console.log(`# ${name}`)
  try {
    if (await work()) return
  } catch (error) {
    console.error(error)
  }
  console.log(`# ${name}: FAILED`)
  failures.push(name)
}

const tool = async (...command: string[]) => (await runTool(command, { print: true })).exitCode === 0
let tests: TapResult = { exitCode: 1, passed: 0, failed: 0, skipped: 0 }
const packing = process.env.CI === 'true' || process.argv.includes('--pack')

await stage('lint', () => tool('biome', 'check', '.'))
await stage('types', () => tool('tsc', '-b', 'packages'))
if (packing) await stage('packing', async () => (await checkPacking()).failed === 0)
await stage('tests', async () => {
  const servers = await startTestServers()
  tests = await runTap([], servers.env)
  await servers.stop()
  // failed tests are in the sum already
  return tests.exitCode === 0 || tests.failed > 0
})

if (failures.length > 0) console.log(`# failed: ${failures.join(', ')}`)
console.log(sumLine({ ...tests, failed: tests.failed + failures.length }))
process.exitCode = failures.length > 0 ? 1 : tests.exitCode
