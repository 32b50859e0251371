import type { Delivery } from '@steadfast/events'
import { create } from './create.ts'

// The process that leases.test.ts stops and continues: holds what it is given, and finishes it when it is told to.

const { url, topic } = JSON.parse(process.argv[2] ?? '{}') as { url: string; topic: string }
const tell = (what: object) => process.send?.(what)
const logger = { debug() {}, info() {}, error() {}, warn: (_: object, said: string) => tell({ said }) }
const transport = create({ connectionString: url, logger })
const held: Delivery[] = []
await transport.subscribe({ group: 'g', topics: [topic], maxInFlight: 100 }, delivery => {
  held.push(delivery)
  tell({ held: held.length })
})
process.on('message', () => {
  for (const delivery of held) delivery.done()
})
process.on('disconnect', () => process.exit())
