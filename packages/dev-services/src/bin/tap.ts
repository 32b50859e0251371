#!/usr/bin/env node
// tap on the given files (all tests without any), with PostgreSQL and Kafka running. Last line: the counts.
// --pgbouncer: the databases of the tests are reached through pgbouncer in transaction mode.
import { runTap, sumLine, type TapResult } from '../run-tap.ts'
import { startTestServers } from '../test-servers.ts'

let result: TapResult = { exitCode: 1, passed: 0, failed: 1, skipped: 0 }
try {
  const args = process.argv.slice(2)
  const servers = await startTestServers({ pgbouncer: args.includes('--pgbouncer') })
  result = await runTap(
    args.filter(arg => arg !== '--pgbouncer'),
    servers.env
  )
  await servers.stop()
} catch (error) {
  console.error(error)
}
console.log(sumLine(result))
process.exitCode = result.exitCode
