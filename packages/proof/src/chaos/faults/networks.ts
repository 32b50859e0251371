import type { TcpProxy } from '@steadfast/dev-services'
import type { Random } from '../../random.ts'
import { type FaultKind, pause } from './fault.ts'

const WAYS = ['kafka proxy', 'market database proxy', 'deploy database proxy'] as const

/** A fault between all processes and a server. */
function onWay(name: string, hurt: (proxies: readonly TcpProxy[], random: Random) => Promise<unknown>): FaultKind {
  return ({ cluster: { databaseProxies, kafka }, random }) => {
    const target = random.pick(WAYS)
    const proxies =
      target === 'kafka proxy'
        ? [...kafka.proxies.values()]
        : [databaseProxies[target.startsWith('market') ? 'market' : 'deploy']]
    return { name, target, uses: [target], run: () => hurt(proxies, random) }
  }
}

/** Past the time after which a process that cannot work gives its share to others. */
const LONG_MS = [8000, 14_000] as const

/** A fault between one process and one of its servers: half of it works, and its service has another process. */
function onOwnWay(name: string, hurt: (proxy: TcpProxy) => Promise<void>): FaultKind {
  return ({ cluster, random }) => {
    const target = random.pick(cluster.processes).name
    const to = random.pick(['kafka', 'database'] as const)
    const proxy = (to === 'kafka' ? cluster.kafka.proxies : cluster.ownDatabaseProxies).get(target) as TcpProxy
    // A client follows the whole path: nothing else may be undone on it meanwhile.
    const uses = [target, to === 'kafka' ? 'kafka proxy' : `${target.replace(/-.*/, '')} database proxy`]
    const run = async () => {
      await hurt(proxy)
      await pause(random, ...LONG_MS)
      await proxy.restore()
    }
    return { name: `${name} ${to}`, target, uses, run }
  }
}

/** What happens between the services and their servers. */
export const networkFaults: FaultKind[] = [
  onWay('cut', async (proxies, random) => {
    await Promise.all(proxies.map(proxy => proxy.cut()))
    await pause(random, 300, 3000)
    await Promise.all(proxies.map(proxy => proxy.restore()))
  }),
  onWay('connections dropped', async proxies => {
    for (const proxy of proxies) proxy.dropConnections()
  }),
  onWay('delay', async (proxies, random) => {
    const ms = random.between(50, 400)
    for (const proxy of proxies) proxy.delay(ms)
    await pause(random, 1000, 4000)
    await Promise.all(proxies.map(proxy => proxy.restore()))
  }),
  // what the server did is done, and nobody hears of it
  onWay('acknowledgements lost', async (proxies, random) => {
    for (const proxy of proxies) proxy.blackhole('to-client')
    await pause(random, 500, 3000)
    await Promise.all(proxies.map(proxy => proxy.restore()))
  }),
  onWay('requests lost', async (proxies, random) => {
    for (const proxy of proxies) proxy.blackhole('to-server')
    await pause(random, 500, 3000)
    await Promise.all(proxies.map(proxy => proxy.restore()))
  }),
  onOwnWay('cut off from', proxy => proxy.cut()),
  onOwnWay('no answer from', async proxy => proxy.blackhole('both'))
]
