import type { Cluster } from '../../cluster/start-cluster.ts'
import type { Random } from '../../random.ts'
import { type FaultKind, pause } from './fault.ts'

function onProxy(
  name: string,
  hurt: (proxy: Cluster['kafka']['proxy'], random: Random) => Promise<unknown>
): FaultKind {
  return ({ cluster: { databaseProxies, kafka }, random }) => {
    const target = random.pick(['kafka proxy', 'market database proxy', 'deploy database proxy'] as const)
    const proxy =
      target === 'kafka proxy' ? kafka.proxy : databaseProxies[target.startsWith('market') ? 'market' : 'deploy']
    return { name, target, uses: [target], run: () => hurt(proxy, random) }
  }
}

/** What happens between the services and their servers. */
export const networkFaults: FaultKind[] = [
  onProxy('cut', async (proxy, random) => {
    await proxy.cut()
    await pause(random, 300, 3000)
    await proxy.restore()
  }),
  onProxy('connections dropped', async proxy => proxy.dropConnections()),
  onProxy('delay', async (proxy, random) => {
    proxy.delay(random.between(50, 400))
    await pause(random, 1000, 4000)
    await proxy.restore()
  }),
  // what the server did is done, and nobody hears of it
  onProxy('acknowledgements lost', async (proxy, random) => {
    proxy.blackhole('to-client')
    await pause(random, 500, 3000)
    await proxy.restore()
  }),
  onProxy('requests lost', async (proxy, random) => {
    proxy.blackhole('to-server')
    await pause(random, 500, 3000)
    await proxy.restore()
  })
]
