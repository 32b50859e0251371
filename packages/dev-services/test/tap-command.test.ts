import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { matchWhole } from '../src/index.ts'
import { root } from '../src/repository.ts'

const program = join(root, 'packages/dev-services/src/bin/tap.ts')
const fixture = join(root, 'packages/dev-services/test/fixtures/mixed.ts')

/** Exit code and last line of the command, run as from a shell: without what the outer tap put into the environment. */
function runCommand(mixed: string) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(_?TAP|NODE_OPTIONS|CI$)/.test(name))
  const env = { ...Object.fromEntries(inherited), TEST_NO_KAFKA: '1', TEST_MIXED: mixed }
  return new Promise<{ pid: unknown; exitCode: unknown; lastLine: string | undefined }>(resolve => {
    const child = execFile(process.execPath, [program, fixture], { env }, (_error, stdout) => {
      resolve({ pid: child.pid, exitCode: child.exitCode, lastLine: stdout.trimEnd().split('\n').at(-1) })
    })
  })
}

t.test('ends with the counts and the exit code of tap', async t => {
  t.match(await runCommand('green'), { exitCode: 0, lastLine: '2 passed, 0 failed, 1 skipped' })
  t.match(await runCommand('red'), { exitCode: 1, lastLine: '1 passed, 1 failed, 1 skipped' })
})

t.test('runs at once do not disturb each other, and leave nothing', async t => {
  const results = await Promise.all([runCommand('green'), runCommand('red')])
  matchWhole(t, results, [{ exitCode: 0 }, { exitCode: 1 }])
  const left = readdirSync(join(root, '.tap')).filter(name => results.some(({ pid }) => name.startsWith(`run-${pid}-`)))
  t.strictSame(left, [])
})
