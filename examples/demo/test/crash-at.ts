// Preloaded by tests into market and deploy. Ends the process by SIGKILL at the named point that the test has written
// into a file of its service, once.
import { subscribe } from 'node:diagnostics_channel'
import { readFileSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

const POINTS = [
  'steadfast:outbox:before-commit',
  'steadfast:outbox:after-commit',
  'steadfast:relay:batch-sent',
  'steadfast:inbox:before-commit',
  'steadfast:inbox:after-commit'
]

const service = basename(dirname(process.argv[1] ?? ''))
const order = join(process.env.CRASH_ORDERS ?? '', service)

function crash(point: string): void {
  try {
    if (readFileSync(order, 'utf8') !== point) return
  } catch {
    return
  }
  rmSync(order)
  process.kill(process.pid, 'SIGKILL')
  for (;;); // the signal may take a moment; nothing of this process happens meanwhile
}

for (const point of POINTS) subscribe(point, () => crash(point))
