import { OPERATOR_TOKEN } from '../../cluster/start-cluster.ts'
import type { FaultKind } from './fault.ts'

const BACK_MS = 20_000

interface Replay {
  id: string
  state: string
}

/**
 * What a person does to a system that is not well, and that may lag behind. Of replays that are under way one is left, before
 * another is asked for: each reads the log again, and what they pile up would take longer than all that follows.
 */
export const operatorFaults: FaultKind[] = [
  ({ cluster: { processes }, random }) => {
    const target = random.pick(processes.filter(p => p.service === 'deploy'))
    const answers = random.pick(['none', 'stored', 'corrected'] as const)
    const ask = (path: string, init: RequestInit = {}) =>
      fetch(`${target.url}/reconciliation/replays${path}`, {
        ...init,
        headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
        signal: AbortSignal.timeout(5000)
      })
    const post = (path: string, body: object) => ask(path, { method: 'POST', body: JSON.stringify(body) })
    const run = async () => {
      const { items } = (await (await ask('')).json()) as { items: Replay[] }
      const underWay = items.filter(({ state }) => state === 'waiting' || state === 'running')
      for (const { id } of underWay.slice(1)) await post(`/${id}/stop`, { note: 'another one is asked for' })
      await post('', { from: new Date(Date.now() - BACK_MS).toISOString(), answers, note: 'run it again' })
    }
    // A process that is away is not asked again.
    return { name: 'replay', target: 'deploy', uses: [], run: () => run().catch(() => {}) }
  }
]
