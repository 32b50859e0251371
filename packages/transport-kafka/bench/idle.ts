// What a transport costs that has nothing to do: node packages/transport-kafka/bench/idle.ts [seconds] (needs Java and Maven).
import { randomUUID } from 'node:crypto'
import { launchKafka, until } from '@steadfast/dev-services'
import { createKafkaTransport } from '../src/index.ts'
import { createKafkaTransport as createOnKafkajs } from '../src/kafkajs/index.ts'

const SECONDS = Number(process.argv[2] ?? 30)
const broker = await launchKafka()
const { brokers } = broker

const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

async function measure(what: string, seconds: number): Promise<void> {
  const before = { cpu: process.cpuUsage(), switches: process.resourceUsage().voluntaryContextSwitches }
  await sleep(seconds * 1000)
  const { user, system } = process.cpuUsage(before.cpu)
  const switches = process.resourceUsage().voluntaryContextSwitches - before.switches
  const share = ((user + system) / 1e6 / seconds) * 100
  console.log(`${what}: ${share.toFixed(2)} % of a core, ${(switches / seconds).toFixed(1)} wake-ups/s`)
}

await measure('nothing', SECONDS / 3)
for (const [name, create] of Object.entries({ 'its own client': createKafkaTransport, kafkajs: createOnKafkajs })) {
  const transport = create({ brokers })
  const topic = randomUUID()
  await transport.ensureTopics([{ name: topic, partitions: 6 }])
  let seen = 0
  await transport.subscribe({ group: randomUUID(), topics: [topic], maxInFlight: 100 }, delivery => {
    seen++
    delivery.done()
  })
  const message = { topic, key: 'k', headers: {}, value: Buffer.from('{}') }
  await transport.publish([message], AbortSignal.timeout(30_000))
  await until(() => seen === 1, { timeoutMs: 30_000, what: 'the first message' })
  await sleep(5000)
  await measure(`${name}, one group of one topic`, SECONDS)
  await transport.close(1000)
}
await broker.stop()
