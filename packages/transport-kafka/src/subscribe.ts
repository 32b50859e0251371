import type { Delivery, SubscribeOptions, Subscription } from '@steadfast/events'
import type { Admins } from './admin.ts'
import { NotJoined } from './errors.ts'
import { countLag, findOffsets } from './offsets.ts'
import { type SuperviseContext, type Supervisor, supervise } from './supervise.ts'
import { settled } from './within.ts'

/** Joins a group. Resolves at the first join or the first failure; after a failure it goes on trying. */
export async function subscribe(
  context: SuperviseContext & { admins: Admins },
  options: SubscribeOptions,
  onDelivery: (delivery: Delivery) => void
): Promise<{ subscription: Subscription; supervisor: Supervisor }> {
  const { admins, settings } = context
  const { group } = options
  const topics = [...new Set(options.topics)]
  const supervisor = supervise(context, { ...options, topics }, onDelivery)
  const joinMs = settings.rebalanceTimeoutMs + settings.requestTimeoutMs
  await settled(supervisor.started, joinMs)

  async function seek(to: 'beginning' | 'end' | Date): Promise<void> {
    const member = supervisor.member()
    const assignment = member?.assignment()
    if (!member || !assignment?.live) throw new NotJoined(group, supervisor.failure()?.message ?? 'rebalancing')
    const offsets = await findOffsets(admins, assignment, to)
    if (!assignment.live) throw new NotJoined(group, 'the partitions were lost meanwhile')
    await member.seek(offsets)
  }

  const subscription: Subscription = {
    pause: () => supervisor.setPaused(true),
    resume: () => supervisor.setPaused(false),
    async lag() {
      await settled(supervisor.member()?.commit() ?? Promise.resolve(), settings.requestTimeoutMs)
      return countLag(admins, group, topics)
    },
    seek,
    close: deadlineMs => supervisor.close(deadlineMs)
  }
  return { subscription, supervisor }
}
