import { prepareKafka } from './prepare-kafka.ts'
import { type KafkaBroker, type KafkaOptions, startBroker } from './start-broker.ts'

/**
 * Starts a real Apache Kafka (one node, KRaft) and resolves when it serves; prepares it first where that is not done.
 * It never outlives this process, even when that is ended by SIGKILL. With `dir` the data stay there: the same `dir`
 * and `port` are the same broker again.
 */
export async function launchKafka(options: KafkaOptions = {}): Promise<KafkaBroker> {
  await prepareKafka()
  for (let attempt = 1; ; attempt++) {
    try {
      return await startBroker(options)
    } catch (error) {
      // another process may have taken a port between the look and the start
      const raced = options.port === undefined && String(error).includes('Address already in use')
      if (attempt === 3 || !raced) throw error
    }
  }
}
