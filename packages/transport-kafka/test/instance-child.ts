// A process that subscribes by a name, and says what it is given.
import { createKafkaTransport, type KafkaTransportOptions } from '../src/index.ts'

const { options, group, topic } = JSON.parse(process.argv[2] ?? '') as {
  options: KafkaTransportOptions
  group: string
  topic: string
}
const on = createKafkaTransport(options)
await on.subscribe({ group, topics: [topic], maxInFlight: 10 }, delivery => {
  delivery.done()
  process.send?.(delivery.raw.toString())
})
process.send?.('ready')
