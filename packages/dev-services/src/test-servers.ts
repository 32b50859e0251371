import { kafkaRequirements } from './kafka-requirements.ts'
import { launchKafka } from './launch-kafka.ts'
import { launchPgbouncer } from './launch-pgbouncer.ts'
import { launchPostgres } from './launch-postgres.ts'
import type { KafkaBroker } from './start-broker.ts'

export interface TestServers {
  env: NodeJS.ProcessEnv
  stop(): Promise<void>
}

/** Undefined where Kafka is not wanted or, on a person's machine, not to be had; the reason is printed. */
async function launchTestKafka(): Promise<KafkaBroker | undefined> {
  if (process.env.TEST_KAFKA_BROKERS !== undefined) return undefined
  if (process.env.TEST_NO_KAFKA === '1') {
    console.log('# no Kafka: TEST_NO_KAFKA=1')
    return undefined
  }
  try {
    const requirements = await kafkaRequirements()
    if (!requirements.ok) throw new Error(requirements.reason)
    return await launchKafka()
  } catch (error) {
    if (process.env.CI === 'true') throw error
    console.log(`# no Kafka, its tests are skipped: ${error instanceof Error ? error.message : error}`)
    return undefined
  }
}

/**
 * Starts the servers that tests need, and gives the environment that leads tests to them. With `pgbouncer`, the
 * databases of tests are reached through one in transaction mode.
 */
export async function startTestServers(options: { pgbouncer?: boolean } = {}): Promise<TestServers> {
  const [postgres, kafka] = await Promise.all([
    process.env.TEST_PG_URL === undefined ? launchPostgres() : undefined,
    launchTestKafka()
  ])
  const env = { ...process.env }
  if (postgres !== undefined) env.TEST_PG_URL = postgres.url
  if (kafka !== undefined) env.TEST_KAFKA_BROKERS = kafka.brokers.join(',')
  const pgbouncer = options.pgbouncer ? await launchPgbouncer(Number(new URL(env.TEST_PG_URL ?? '').port)) : undefined
  if (pgbouncer !== undefined) env.TEST_PGBOUNCER_PORT = String(pgbouncer.port)
  return {
    env,
    async stop() {
      await pgbouncer?.stop()
      await Promise.all([postgres?.stop(), kafka?.stop()])
    }
  }
}
