import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const requirements = fileURLToPath(new URL('requirements.txt', import.meta.url))
const cache = fileURLToPath(new URL('../../../../node_modules/.cache/schemathesis/', import.meta.url))

/**
 * Installs schemathesis, as pinned in `requirements.txt`, into a virtual environment of Python under `node_modules`,
 * once, and resolves with the path of its command.
 *
 * @throws Error when there is no Python 3 with venv, or the package cannot be had
 */
export async function installSchemathesis(log: (line: string) => void): Promise<string> {
  const [environment, stamp] = [join(cache, 'venv'), join(cache, 'installed.txt')]
  const command = join(environment, 'bin', 'schemathesis')
  const wanted = await readFile(requirements, 'utf8')
  const installed = await readFile(stamp, 'utf8').catch(() => '')
  if (installed === wanted && existsSync(command)) return command
  log('fuzz: installing schemathesis')
  await rm(environment, { recursive: true, force: true })
  await mkdir(cache, { recursive: true })
  try {
    await run('python3', ['-m', 'venv', environment])
    const pip = ['install', '--quiet', '--disable-pip-version-check', '--requirement', requirements]
    await run(join(environment, 'bin', 'pip'), pip)
  } catch (error) {
    throw new Error(`fuzz needs Python 3.11 or later with venv and pip, for schemathesis: ${(error as Error).message}`)
  }
  await writeFile(stamp, wanted)
  return command
}
