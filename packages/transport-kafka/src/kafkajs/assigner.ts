import kafkajs, { type PartitionAssigner } from 'kafkajs'
import { dealPartitions } from '../share.ts'

const { MemberMetadata, MemberAssignment } = kafkajs.AssignerProtocol

const VERSION = 0

/**
 * Members of one group may read different topics: each partition goes to a member that reads its topic. (kafkajs' own
 * assigner deals the topics of the member that happens to lead among all members, who drop what they do not read.)
 *
 * Each member tells how many partitions its topics have, so that the leader need not ask about topics that it does not
 * read, and may have no right to see.
 */
const byTopics: PartitionAssigner = ({ cluster }) => ({
  name: 'SteadfastAssigner',
  version: VERSION,
  protocol({ topics }) {
    const partitions = topics.map(topic => [topic, cluster.findTopicPartitionMetadata(topic).length])
    const userData = Buffer.from(JSON.stringify(Object.fromEntries(partitions)))
    return { name: this.name, metadata: MemberMetadata.encode({ version: VERSION, topics, userData }) }
  },
  async assign({ members }) {
    const readers = members.map(({ memberId, memberMetadata }) => {
      const { topics = [], userData } = MemberMetadata.decode(memberMetadata) ?? {}
      return { id: memberId, topics, partitions: JSON.parse(userData?.toString() || '{}') as Record<string, number> }
    })
    return [...dealPartitions(readers)].map(([memberId, assignment]) => ({
      memberId,
      memberAssignment: MemberAssignment.encode({ version: VERSION, assignment, userData: Buffer.alloc(0) })
    }))
  }
})

/**
 * In the order of preference. The second is for a group in which processes of an earlier version run, which know nothing
 * else: the broker lets nobody join who has no assigner in common with all others.
 */
export const ASSIGNERS: PartitionAssigner[] = [byTopics, kafkajs.PartitionAssigners.roundRobin]
