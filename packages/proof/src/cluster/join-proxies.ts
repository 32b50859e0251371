import type { TcpProxy } from '@steadfast/dev-services'

/** Several proxies as one: what is done to it is done to each. Its port is that of the first. */
export function joinProxies(proxies: readonly TcpProxy[]): TcpProxy {
  const [first] = proxies
  if (first === undefined) throw new Error('no proxies')
  const all = async (work: (proxy: TcpProxy) => Promise<void>) => void (await Promise.all(proxies.map(work)))
  const each = (work: (proxy: TcpProxy) => void) => proxies.forEach(work)
  return {
    port: first.port,
    get swallowedBytes() {
      return proxies.reduce((sum, { swallowedBytes }) => sum + swallowedBytes, 0)
    },
    cut: () => all(proxy => proxy.cut()),
    restore: () => all(proxy => proxy.restore()),
    close: () => all(proxy => proxy.close()),
    delay: ms => each(proxy => proxy.delay(ms)),
    blackhole: direction => each(proxy => proxy.blackhole(direction)),
    dropConnections: () => each(proxy => proxy.dropConnections())
  }
}
