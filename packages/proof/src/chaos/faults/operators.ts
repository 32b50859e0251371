import { OPERATOR_TOKEN } from '../../cluster/start-cluster.ts'
import type { FaultKind } from './fault.ts'

const BACK_MS = 20_000

/** What a person does to a system that is not well, and that may lag behind. */
export const operatorFaults: FaultKind[] = [
  ({ cluster: { processes }, random }) => {
    const target = random.pick(processes.filter(p => p.service === 'deploy'))
    const answers = random.pick(['none', 'stored', 'corrected'] as const)
    const run = () =>
      fetch(`${target.url}/reconciliation/replays`, {
        method: 'POST',
        headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
        body: JSON.stringify({ from: new Date(Date.now() - BACK_MS).toISOString(), answers, note: 'run it again' }),
        signal: AbortSignal.timeout(5000)
      }).catch(() => {})
    return { name: 'replay', target: 'deploy', uses: [], run }
  }
]
