import { setTimeout as sleep } from 'node:timers/promises'
import type { Delivery, SubscribeOptions, Subscription } from '@steadfast/events'
import type { Admins } from './admin.ts'
import type { Assignment } from './assignment.ts'
import { NotJoined } from './errors.ts'
import type { Member } from './member.ts'
import { countLag, findOffsets } from './offsets.ts'
import { type SuperviseContext, type Supervisor, supervise } from './supervise.ts'
import { settled } from './within.ts'

// Enough for a join that nothing is in the way of. Another one goes on in the background: after a crash the broker may
// wait for the dead member until its session ends, and the start of a server must not.
const FIRST_JOIN_MS = 1000

/** Joins a group, and goes on trying whatever happens. Resolves at the first join or failure, or after a second. */
export async function subscribe(
  context: SuperviseContext & { admins: Admins; supervisors: Set<Supervisor> },
  options: SubscribeOptions,
  onDelivery: (delivery: Delivery) => void
): Promise<Subscription> {
  const { admins, settings, supervisors } = context
  const { group } = options
  const topics = [...new Set(options.topics)]
  const supervisor = supervise(context, { ...options, topics }, onDelivery)
  supervisors.add(supervisor)
  await settled(supervisor.started, FIRST_JOIN_MS)

  async function joined(): Promise<{ member: Member; assignment: Assignment }> {
    const end = Date.now() + settings.requestTimeoutMs
    for (;;) {
      const member = supervisor.member()
      const assignment = member?.assignment()
      if (member && assignment?.live) return { member, assignment }
      if (Date.now() > end) throw new NotJoined(group, supervisor.failure()?.message ?? 'rebalancing')
      await sleep(20)
    }
  }

  async function seek(to: 'beginning' | 'end' | Date): Promise<void> {
    const { member, assignment } = await joined()
    const offsets = await findOffsets(admins, assignment, to)
    if (!assignment.live) throw new NotJoined(group, 'the partitions were lost meanwhile')
    await member.seek(offsets)
  }

  return {
    pause: () => supervisor.setPaused(true),
    resume: () => supervisor.setPaused(false),
    async lag() {
      await settled(supervisor.member()?.commit() ?? Promise.resolve(), settings.requestTimeoutMs)
      return countLag(admins, group, topics)
    },
    seek,
    async close(deadlineMs) {
      await supervisor.close(deadlineMs)
      supervisors.delete(supervisor)
    }
  }
}
