import kafkajs, { type Consumer } from 'kafkajs'
import type { Logger } from '../options.ts'
import { describeUnread } from '../share.ts'
import { asError } from '../within.ts'

const { MemberAssignment } = kafkajs.AssignerProtocol

/** Partitions of each topic; undefined while they are not known. */
type Unread = Map<string, readonly number[] | undefined>

/**
 * Follows which partitions a member is given of topics that it does not read: nobody else reads them either. This comes only
 * from a leader that knows no other assigner than kafkajs' own: an earlier version of the service.
 *
 * @returns tells them, for a person; undefined when the last assignment had none
 */
export function followUnread(consumer: Consumer, logger: Logger): () => string | undefined {
  const { GROUP_JOIN, RECEIVED_UNSUBSCRIBED_TOPICS } = consumer.events
  let received: string[] = []
  let unread: Unread = new Map()

  consumer.on(RECEIVED_UNSUBSCRIBED_TOPICS, ({ payload: { groupId, topicsNotSubscribed } }) => {
    received = topicsNotSubscribed
    logger.warn(
      { group: groupId, topics: topicsNotSubscribed },
      'was given partitions of topics that it does not read; nobody reads these until processes of an earlier version are gone'
    )
  })
  consumer.on(GROUP_JOIN, ({ payload: { groupId, memberId } }) => {
    const joined: Unread = new Map(received.map(topic => [topic, undefined]))
    received = []
    unread = joined
    if (joined.size === 0) return
    askFor(joined, memberId).catch(thrown =>
      logger.debug({ err: asError(thrown), group: groupId }, 'which partitions nobody reads could not be asked for')
    )
  })

  /** kafkajs says which topics they are of, and not which they are. */
  async function askFor(joined: Unread, memberId: string): Promise<void> {
    const { members } = await consumer.describeGroup()
    const mine = members.find(member => member.memberId === memberId)
    const { assignment = {} } = (mine && MemberAssignment.decode(mine.memberAssignment)) ?? {}
    for (const topic of joined.keys()) joined.set(topic, assignment[topic])
  }

  return () => (unread.size === 0 ? undefined : describeUnread([...unread]))
}
