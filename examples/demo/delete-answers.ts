import { DeploymentSucceeded } from '@steadfast-examples/contracts'
import { Kafka, logLevel } from 'kafkajs'
import pg from 'pg'

const { topic } = DeploymentSucceeded

async function deleteFromKafka(brokers: string): Promise<number> {
  const admin = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    const offsets = await admin.fetchTopicOffsets(topic)
    const filled = offsets.filter(({ high, low }) => BigInt(high) > BigInt(low))
    const partitions = filled.map(({ partition, high }) => ({ partition, offset: high }))
    if (partitions.length > 0) await admin.deleteTopicRecords({ topic, partitions })
    return filled.reduce((sum, { high, low }) => sum + Number(BigInt(high) - BigInt(low)), 0)
  } finally {
    await admin.disconnect()
  }
}

async function deleteFromPostgres(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rowCount } = await client.query(
      `with emptied as (update steadfast_log.partition set first_offset = next_offset where topic = $1 returning id)
       delete from steadfast_log.record r using emptied e where r.partition_id = e.id`,
      [topic]
    )
    return rowCount ?? 0
  } finally {
    await client.end()
  }
}

/** Deletes all of deploy's answers from the log, read or not, as a broker that loses data would. Returns how many. */
export function deleteAnswers(transport: 'kafka' | 'postgres', address: string): Promise<number> {
  return transport === 'kafka' ? deleteFromKafka(address) : deleteFromPostgres(address)
}
