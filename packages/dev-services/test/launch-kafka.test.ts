import { existsSync } from 'node:fs'
import t from 'tap'
import { launchKafka, testKafka } from '../src/index.ts'

const kafka = testKafka(t)
const skip = kafka ? false : 'no Kafka: Java ≥ 17 and Maven needed'

t.test('comes back after SIGKILL, and takes its temporary directory with it', { skip }, async t => {
  const broker = await launchKafka()
  const first = broker.pid
  await broker.kill9()
  await broker.restart()
  t.not(broker.pid, first)
  await broker.stop()
  t.notOk(existsSync(broker.dir))
  t.throws(() => process.kill(broker.pid, 0), { code: 'ESRCH' })
})
