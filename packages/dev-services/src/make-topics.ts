import type { Admin, ITopicConfig } from 'kafkajs'
import { until } from './until.ts'

/**
 * Makes topics, and resolves when each can be written to. (kafkajs' own waiting asks once, and fails on a broker that has
 * not heard of the topic yet.)
 */
export async function makeTopics(admin: Admin, topics: ITopicConfig[]): Promise<void> {
  await admin.createTopics({ waitForLeaders: false, topics })
  for (const { topic } of topics) {
    const hasLeaders = () =>
      admin.fetchTopicMetadata({ topics: [topic] }).then(
        found => found.topics.some(({ partitions }) => partitions.length > 0),
        () => false
      )
    await until(hasLeaders, { what: `the leaders of ${topic}` })
  }
}
