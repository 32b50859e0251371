import { setTimeout as sleep } from 'node:timers/promises'
import { checkRewind, type Delivery, type SubscribeOptions, type Subscription } from '@steadfast/events'
import { settlesWithin } from '@steadfast/events/runtime'
import type { Assignment } from './assignment.ts'
import type { Member } from './driver.ts'
import { NotJoined } from './errors.ts'
import { countLag, findBehind, readEnds } from './offsets.ts'
import { type SuperviseContext, type Supervisor, supervise } from './supervise.ts'

// Enough for a join that nothing is in the way of. Another one goes on in the background: after a crash the broker may
// wait for the dead member until its session ends, and the start of a server must not.
const FIRST_JOIN_MS = 1000

/** Joins a group, and goes on trying whatever happens. Resolves at the first join or failure, or after a second. */
export async function subscribe(
  context: SuperviseContext & { supervisors: Set<Supervisor> },
  options: SubscribeOptions,
  onDelivery: (delivery: Delivery) => void
): Promise<Subscription> {
  const { settings, supervisors } = context
  const { cluster } = context.driver
  const { group } = options
  const topics = [...new Set(options.topics)]
  const supervisor = supervise(context, { ...options, topics }, onDelivery)
  supervisors.add(supervisor)
  await settlesWithin(supervisor.started, FIRST_JOIN_MS)

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

  async function rewind(to: 'beginning' | Date): Promise<void> {
    checkRewind(to)
    const { member, assignment } = await joined()
    await member.commit()
    const behind = await findBehind(cluster, group, assignment, to)
    if (behind.length === 0 && assignment.live) return
    if (!(await member.rewind(assignment, behind))) throw new NotJoined(group, 'the partitions were lost meanwhile')
  }

  return {
    pause: () => supervisor.setPaused(true),
    resume: () => supervisor.setPaused(false),
    async lag(upTo) {
      await settlesWithin(supervisor.member()?.commit() ?? Promise.resolve(), settings.requestTimeoutMs)
      return countLag(cluster, group, topics, upTo)
    },
    end: async () => JSON.stringify(await readEnds(cluster, topics)),
    rewind,
    async close(deadlineMs) {
      await supervisor.close(deadlineMs)
      supervisors.delete(supervisor)
    }
  }
}
