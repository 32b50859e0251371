import { setTimeout as sleep } from 'node:timers/promises'
import type { ServiceProcess } from '../../cluster/supervise.ts'
import type { Random } from '../../random.ts'
import { type FaultKind, pause, serviceOf } from './fault.ts'

function onProcess(name: string, hurt: (process: ServiceProcess, random: Random) => Promise<unknown>): FaultKind {
  return ({ cluster, random }) => {
    const target = random.pick(cluster.processes)
    return { name, target: target.name, uses: [target.name], run: () => hurt(target, random) }
  }
}

const DAY_MS = 86_400_000

/** What happens to processes of the services. */
export const processFaults: FaultKind[] = [
  onProcess('SIGKILL', process => process.kill9()),
  onProcess('SIGKILL', process => process.kill9()),
  onProcess('SIGTERM', process => process.terminate()),
  onProcess('SIGSTOP', async (process, random) => {
    process.pause()
    await pause(random, 500, 4000)
    process.resume()
  }),
  // past Kafka's session timeout and the relay's: others have taken over when it wakes
  onProcess('long SIGSTOP', async process => {
    process.pause()
    await sleep(8000)
    process.resume()
  }),
  onProcess('clock jump', async (process, random) => {
    process.shiftClock(random.pick([-DAY_MS, -3_600_000, -60_000, 90_000, 3_600_000, DAY_MS]))
    await pause(random, 1000, 4000)
    process.shiftClock(0)
  }),
  ({ cluster: { processes }, random }) => {
    const service = serviceOf(random)
    const both = processes.filter(p => p.service === service)
    const run = () => Promise.all(both.map(p => p.kill9()))
    return { name: 'SIGKILL both', target: service, uses: both.map(p => p.name), run }
  }
]
