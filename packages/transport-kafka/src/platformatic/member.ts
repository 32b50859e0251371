import { heartbeatV4, leaveGroupV5, offsetCommitV8 } from '@platformatic/kafka'
import { settlesWithin } from '@steadfast/events/runtime'
import { type Assignment, type Commit, createAssignment } from '../assignment.ts'
import { brokerError, nameIn, nameOfError } from '../broker-error.ts'
import { type Committer, createCommitter } from '../commit.ts'
import { type Member, type Membership, REVOCATION_DRAIN_MS } from '../driver.ts'
import { createGate } from '../gate.ts'
import type { Logger, Settings } from '../options.ts'
import { describeUnread } from '../share.ts'
import { createDrain, createNap } from '../wait.ts'
import { asError, within } from '../within.ts'
import { createCoordinator } from './coordinator.ts'
import { createFetcher } from './fetch-loop.ts'
import { type Generation, joinGroup } from './join-group.ts'
import type { OpenCluster } from './open-cluster.ts'

/**
 * Where a membership stands:
 *
 *   joining ──▶ active ──▶ revoking ──▶ joining …      any ──▶ left
 *
 * - `joining`: it asks for partitions, and waits until all members do. It owns nothing.
 * - `active`: it owns partitions, fetches and hands out.
 * - `revoking`: the group is being dealt anew. Nothing more is handed out; what is out may be done for a while, and is
 *   committed. Then it joins.
 * - `left`: it was stopped, or has failed.
 */
type Phase = 'joining' | 'active' | 'revoking' | 'left'

// For the last commit and for leaving the group, after the time for draining.
const GRACE_MS = 1000

// While no coordinator answers.
const RETRY_MS = 200

/** Makes a member. What waits for the group, what waits for data, and heartbeats have connections of their own. */
export function createMember(cluster: OpenCluster, settings: Settings, logger: Logger, membership: Membership): Member {
  const { group, topics, instanceId } = membership
  const { sessionTimeoutMs, requestTimeoutMs } = settings
  const joining = cluster.connect(Math.max(settings.rebalanceTimeoutMs, sessionTimeoutMs) + requestTimeoutMs)
  const beating = cluster.connect()
  const fetching = cluster.connect(settings.maxWaitTimeMs + requestTimeoutMs)
  const coordinator = createCoordinator(cluster, group)
  const gate = createGate()
  let phase: Phase = 'joining'
  let memberId = ''
  let generation: Generation | undefined
  let assignment: Assignment | undefined
  let paused = false
  let draining = false
  const drain = createDrain()
  const nap = createNap()
  let stopping: Promise<void> | undefined

  const fetcher = createFetcher({
    cluster,
    connections: fetching,
    settings,
    logger,
    membership,
    gate,
    isOpen: () => phase === 'active' && !paused && !draining,
    end
  })
  const committer: Committer = createCommitter(() => assignment, commitOffsets, logger)

  const isLeft = () => phase === 'left'
  /** Bounds what is asked of the coordinator, with the search for it. */
  const inTime = <T>(what: string, asked: Promise<T>) => within(asked, requestTimeoutMs, `${what} of group ${group}`)

  async function run(): Promise<void> {
    while (!isLeft()) {
      phase = 'joining'
      const joined = await joinGroup(
        { coordinator, connections: joining, settings, membership, cluster, isLeft },
        memberId
      )
      if (joined === undefined || isLeft()) return
      generation = joined
      memberId = joined.memberId
      phase = 'active'
      const read = Object.entries(joined.owned).filter(([topic]) => topics.includes(topic))
      assignment = createAssignment(Object.fromEntries(read), onDone)
      fetcher.begin(assignment)
      membership.onJoin()
      const why = await keepAlive(joined)
      if (isLeft()) return
      phase = 'revoking'
      // Whoever is no longer a member has nothing to commit.
      if (why === 'rebalance') {
        await drained(REVOCATION_DRAIN_MS)
        await settlesWithin(committer.commit(), GRACE_MS)
      } else memberId = why === 'unknown' ? '' : memberId
      endAssignment()
    }
  }

  /** Resolves when the membership has ended, and how: `rebalance`, `stale` (its generation is over) or `unknown`. */
  async function keepAlive({ generationId }: Generation): Promise<'rebalance' | 'stale' | 'unknown' | 'left'> {
    let lastAt = performance.now()
    let waitMs = settings.heartbeatIntervalMs
    for (;;) {
      await nap.take(waitMs)
      if (isLeft()) return 'left'
      let reason: string
      try {
        const asked = [group, generationId, memberId, instanceId] as const
        const { errorCode } = await inTime('heartbeat', coordinator.ask(beating, heartbeatV4.api, ...asked))
        const error = nameOfError(errorCode)
        if (error === 'REBALANCE_IN_PROGRESS') return 'rebalance'
        if (error === 'ILLEGAL_GENERATION') return 'stale'
        if (error === 'UNKNOWN_MEMBER_ID') return 'unknown'
        // Another process goes by the same name.
        if (error === 'FENCED_INSTANCE_ID')
          throw brokerError(error, `another member of group ${group} is ${instanceId}`)
        if (error === undefined) {
          lastAt = performance.now()
          waitMs = settings.heartbeatIntervalMs
          continue
        }
        reason = error
      } catch (thrown) {
        if (nameIn(thrown) === 'FENCED_INSTANCE_ID') throw thrown
        reason = asError(thrown).message
      }
      if (isLeft()) return 'left'
      const silentMs = Math.round(performance.now() - lastAt)
      if (silentMs > sessionTimeoutMs) throw new Error(`no heartbeat for ${silentMs} ms: ${reason}`)
      coordinator.forget()
      waitMs = Math.min(RETRY_MS, settings.heartbeatIntervalMs)
    }
  }

  async function commitOffsets(commits: readonly Commit[]): Promise<void> {
    if (generation === undefined) return
    const byTopic = Map.groupBy(commits, ({ topic }) => topic)
    const offsets = [...byTopic].map(([name, of]) => ({
      name,
      partitions: of.map(({ partition, offset }) => ({
        partitionIndex: partition,
        committedOffset: offset,
        committedLeaderEpoch: -1
      }))
    }))
    const asked = [group, generation.generationId, memberId, instanceId, offsets] as const
    const answer = await inTime('commit', coordinator.ask(beating, offsetCommitV8.api, ...asked))
    const error = answer.topics.flatMap(({ partitions }) => partitions).find(({ errorCode }) => errorCode !== 0)
    if (error !== undefined) {
      const name = nameOfError(error.errorCode) ?? ''
      coordinator.forget()
      throw brokerError(name, `commit of group ${group}: the broker answered ${name}`)
    }
  }

  function end(reason: Error): void {
    if (isLeft()) return
    phase = 'left'
    endAssignment()
    nap.end()
    membership.onEnd(reason)
  }

  function endAssignment(): void {
    assignment?.end()
    assignment = undefined
    gate.wakeAll()
    fetcher.look()
    drain.end()
  }

  function onDone(): void {
    committer.schedule()
    gate.wakeOne()
    fetcher.look()
    if ((assignment?.out ?? 0) === 0) drain.end()
  }

  const drained = async (ms: number) => {
    if (assignment?.live && assignment.out > 0) await drain.wait(ms)
  }

  async function stop(drainMs: number): Promise<void> {
    draining = true
    await drained(drainMs)
    if (!isLeft()) await settlesWithin(committer.commit(), GRACE_MS)
    phase = 'left'
    endAssignment()
    nap.end()
    committer.stop()
    await settlesWithin(leave(), GRACE_MS)
    for (const connections of [joining, beating, fetching]) connections.destroy()
  }

  /** In the name of the member, so that nobody waits for it. */
  async function leave(): Promise<void> {
    const members = [{ memberId, groupInstanceId: instanceId, reason: null }]
    await coordinator.ask(beating, leaveGroupV5.api, group, members)
  }

  return {
    start() {
      run().catch(thrown => end(asError(thrown)))
    },
    assignment: () => assignment,
    failure: () => (isLeft() ? undefined : fetcher.failure()),
    unread() {
      const others = Object.entries(generation?.owned ?? {}).filter(([topic]) => !topics.includes(topic))
      if (isLeft() || others.length === 0) return undefined
      return describeUnread(others)
    },
    setPaused(value) {
      paused = value
      if (paused) return
      gate.wakeAll()
      fetcher.look()
    },
    commit: () => committer.commit(),
    async rewind(mine, to) {
      let moved = false
      await committer.alone(async () => {
        // Looked at last: behind a rebalance the commit would be in the name of a generation that owns other partitions.
        if (phase !== 'active' || !mine.live) return
        moved = true
        fetcher.restart(mine, to)
        onDone()
        await commitOffsets(to)
      })
      return moved
    },
    stop: drainMs => (stopping ??= stop(drainMs))
  }
}
