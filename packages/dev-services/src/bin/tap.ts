#!/usr/bin/env node
import { runTap, sumLine } from '../run-tap.ts'
import { startTestServers } from '../test-servers.ts'

const servers = await startTestServers()
const result = await runTap(process.argv.slice(2), servers.env)
await servers.stop()
console.log(sumLine(result))
process.exitCode = result.exitCode
