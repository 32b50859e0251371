import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { testKafka, until } from '@steadfast/dev-services'
import type { Delivery } from '@steadfast/events'
import t, { type Test } from 'tap'
import { message, newTopic, QUICK, store, texts, transport } from './helper.ts'

const kafka = testKafka(t)
const shared = { skip: kafka ? false : 'no Kafka: Java ≥ 17 and Maven needed' } as const
const brokers = kafka?.brokers ?? []

// a busy machine takes its time
t.setTimeout(120_000)

// So long a group waits for a member that is dead and goes by no name.
const SESSION_MS = 60_000

function start(t: Test, group: string, topic: string, instanceId: string) {
  const options = { brokers, ...QUICK, sessionTimeoutMs: SESSION_MS, rebalanceTimeoutMs: SESSION_MS, instanceId }
  const child: ChildProcess = fork(new URL('./instance-child.ts', import.meta.url), [
    JSON.stringify({ options, group, topic })
  ])
  t.teardown(() => child.kill('SIGKILL'))
  const said: string[] = []
  child.on('message', text => said.push(String(text)))
  return { child, said }
}

t.test('a process that is killed again and again takes its own place at once', shared, async t => {
  const on = transport(t, brokers)
  const [topic, group] = [await newTopic(on, 3), randomUUID()]
  for (let life = 0; life < 3; life++) {
    const { child, said } = start(t, group, topic, 'one')
    await store(on, [message(topic, `k${life}`, `m${life}`)])
    const startedAt = performance.now()
    await until(() => said.includes(`m${life}`), { timeoutMs: SESSION_MS / 2, what: `life ${life}` })
    t.comment(`life ${life}: ${Math.round(performance.now() - startedAt)} ms`)
    child.kill('SIGKILL')
    await until(() => child.signalCode !== null || child.exitCode !== null, { what: 'its end' })
  }
})

t.test('two processes of one name: the first gets another name, and both read', shared, async t => {
  const on = transport(t, brokers)
  const [topic, group] = [await newTopic(on, 4), randomUUID()]
  const seen: [Delivery[], Delivery[]] = [[], []]
  for (const mine of seen) {
    const member = transport(t, brokers, { instanceId: 'same' })
    await member.subscribe({ group, topics: [topic], maxInFlight: 10 }, delivery => {
      mine.push(delivery)
      delivery.done()
    })
    await until(() => member.health().ready, { what: 'it to have joined' })
  }
  let sent = 0
  const both = async () => {
    await store(
      on,
      Array.from({ length: 20 }, (_, n) => message(topic, `k${n}`, `m${sent++}`))
    )
    return seen.every(mine => mine.length > 0)
  }
  await until(both, { timeoutMs: 60_000, what: 'both to read' })
  await until(() => new Set(texts(seen.flat())).size === sent, { what: 'nothing to be lost' })
})
