#!/usr/bin/env node
// tap on the given files (all tests without any), with PostgreSQL and Kafka running. Last line: the counts.
import { runTap, sumLine, type TapResult } from '../run-tap.ts'
import { startTestServers } from '../test-servers.ts'

let result: TapResult = { exitCode: 1, passed: 0, failed: 1, skipped: 0 }
try {
  const servers = await startTestServers()
  result = await runTap(process.argv.slice(2), servers.env)
  await servers.stop()
} catch (error) {
  console.error(error)
}
console.log(sumLine(result))
process.exitCode = result.exitCode
