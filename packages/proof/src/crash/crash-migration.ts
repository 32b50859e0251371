import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { doctor } from '@steadfast/store'
import { withDatabase } from '../with-database.ts'

const preload = new URL('../cluster/services/preload.ts', import.meta.url).href
const script = fileURLToPath(new URL('migrate-once.ts', import.meta.url))

async function run(url: string, crash: string): Promise<unknown> {
  const env = { ...process.env, NODE_OPTIONS: '', DATABASE_URL: url, CRASH_AT: crash }
  const child = spawn(process.execPath, ['--import', preload, script], {
    env,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc']
  })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  return signal ?? code
}

/** A process dies inside a migration: the next one finds nothing half done. Resolves with what is wrong. */
export function crashInMigration(serverUrl: string): Promise<string[]> {
  return withDatabase(serverUrl, async (url, pool) => {
    const wrong: string[] = []
    const ended = await run(url, 'steadfast:store:migration')
    if (ended !== 'SIGKILL') wrong.push(`invariant 1: the migration ended with ${ended}, not at its crash point`)
    const again = await run(url, '')
    if (again !== 0) wrong.push(`invariant 1: after a crash inside a migration the next run ends with ${again}`)
    const problems = await doctor(pool)
    if (problems.length > 0)
      wrong.push(`invariant 1: after a crash inside a migration the schema differs: ${JSON.stringify(problems)}`)
    return wrong
  })
}
