import { type KafkaRequirements, kafkaRequirements } from '@steadfast/dev-services'

/** Which broker the demo uses, and why: one line for the reader. */
export interface Choice {
  transport: 'kafka' | 'postgres'
  /** An existing Kafka; absent: the demo starts what it needs. */
  brokers?: string
  why: string
}

/** What was asked for, else `KAFKA_BROKERS`, else a Kafka of our own where that is possible, else PostgreSQL. */
export async function chooseTransport(
  wanted: 'kafka' | 'postgres' | undefined,
  brokers: string | undefined,
  requirements: () => Promise<KafkaRequirements> = kafkaRequirements
): Promise<Choice> {
  if (wanted === 'postgres')
    return { transport: 'postgres', why: 'PostgreSQL as the broker, because --transport says so' }
  if (brokers) return { transport: 'kafka', brokers, why: `Kafka at ${brokers}, because KAFKA_BROKERS is set` }
  const possible = await requirements()
  if (wanted === 'kafka') {
    if (!possible.ok) throw new Error(`--transport kafka: ${possible.reason}, or an existing broker in KAFKA_BROKERS`)
    return { transport: 'kafka', why: 'a real Apache Kafka, because --transport says so' }
  }
  if (possible.ok) return { transport: 'kafka', why: 'a real Apache Kafka, because Java and Maven are here' }
  return { transport: 'postgres', why: `PostgreSQL as the broker; for a real Apache Kafka: ${possible.reason}` }
}
