import type { Teardown } from './test-database.ts'

/**
 * The broker of the environment variable `TEST_KAFKA_BROKERS`; undefined on a person's machine that has none, so that
 * its tests are skipped visibly. With `CI=true` its absence throws.
 */
export function testKafka(_t: Teardown): { brokers: string[] } | undefined {
  const brokers = process.env.TEST_KAFKA_BROKERS
  if (brokers !== undefined && brokers !== '') return { brokers: brokers.split(',') }
  if (process.env.CI === 'true') throw new Error('TEST_KAFKA_BROKERS is not set, and CI=true wants every test run')
  return undefined
}
