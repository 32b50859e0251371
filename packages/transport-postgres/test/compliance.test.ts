import { startProxy, testDatabase } from '@steadfast/dev-services'
import { type TransportFixture, transportCompliance } from '@steadfast/events/compliance'
import t from 'tap'
import type { PostgresTransportOptions } from '../src/index.ts'
import { create } from './create.ts'

const skip = [
  { reason: 'only transports write to this log, and give it keys that are text', tests: ['keys are bytes'] }
]

const variants: [string, PostgresTransportOptions][] = [
  ['woken by NOTIFY', { notify: true }],
  ['by polling alone', { notify: false }]
]

// They wait rather than work, so they run side by side.
t.jobs = variants.length

for (const [name, options] of variants) {
  t.test(`complies, ${name}`, { buffered: true }, async t => {
    const { url } = await testDatabase(t)
    const proxy = await startProxy({ targetPort: Number(new URL(url).port) })
    t.teardown(() => proxy.close())
    const address = new URL(url)
    address.port = String(proxy.port)
    const args = { ...options, connectionString: address.href }
    const restore = () => proxy.restore()
    const fixture: TransportFixture = {
      create: () => create(args),
      child: { module: new URL('./create.ts', import.meta.url).href, args },
      faults: {
        async loseAcknowledgements() {
          proxy.blackhole('to-client')
          return restore
        },
        async away() {
          await proxy.cut()
          return restore
        }
      }
    }
    await transportCompliance(t, () => fixture, { skip })
  })
}
