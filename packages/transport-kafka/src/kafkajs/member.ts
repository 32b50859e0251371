import { settlesWithin } from '@steadfast/events/runtime'
import type { Consumer } from 'kafkajs'
import { type Commit, createAssignment } from '../assignment.ts'
import { type Committer, createCommitter } from '../commit.ts'
import type { Member, Membership } from '../driver.ts'
import { TransportClosed } from '../errors.ts'
import type { Logger, Settings } from '../options.ts'

import { ASSIGNERS } from './assigner.ts'
import { createClient } from './client.ts'
import { createHandler, type Handler, type MemberState } from './hand-out.ts'
import { readError } from './kafkajs-error.ts'
import { followUnread } from './unread.ts'
import { watch } from './watch.ts'

// For the last commit and for leaving the group, after the time for draining.
const GRACE_MS = 1000

/** Makes a member with a client of its own. */
export function createMember(settings: Settings, logger: Logger, membership: Membership): Member {
  const client = createClient(settings, logger)
  const consumer = client.kafka.consumer({
    groupId: membership.group,
    sessionTimeout: settings.sessionTimeoutMs,
    rebalanceTimeout: settings.rebalanceTimeoutMs,
    heartbeatInterval: settings.heartbeatIntervalMs,
    maxWaitTimeInMs: settings.maxWaitTimeMs,
    minBytes: 1,
    metadataMaxAge: 60_000,
    allowAutoTopicCreation: false,
    partitionAssigners: ASSIGNERS,
    // Restarting is the supervisor's.
    retry: { retries: 5, initialRetryTime: 100, maxRetryTime: 2000, restartOnFailure: async () => false }
  })
  const state: MemberState = { assignment: undefined, paused: false, stopping: false, ended: false }
  const commitOffsets = (commits: readonly Commit[]) =>
    consumer.commitOffsets(commits.map(({ offset, ...place }) => ({ ...place, offset: `${offset}` })))
  const committer = createCommitter(() => state.assignment, commitOffsets, logger)
  const handler = createHandler({ settings, state, committer, logger, membership })
  let stopping: Promise<void> | undefined
  const unread = followUnread(consumer, logger)
  const unwatch = listen({ consumer, settings, state, committer, handler, membership }, end)

  async function run(): Promise<void> {
    await consumer.connect()
    await consumer.subscribe({ topics: [...membership.topics], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: 32,
      eachBatch: handler.eachBatch
    })
  }

  function end(reason: Error): void {
    if (state.ended) return
    state.ended = true
    handler.endAssignment()
    client.destroy(reason)
    handler.gate.fail(reason)
    membership.onEnd(reason)
  }

  return {
    start() {
      run().catch(thrown => end(readError(thrown)))
    },
    assignment: () => (state.ended ? undefined : state.assignment),
    // kafkajs does not tell one partition's trouble from another's: it ends the member.
    failure: () => undefined,
    unread: () => (state.ended ? undefined : unread()),
    setPaused(paused) {
      state.paused = paused
      if (!paused) handler.gate.wakeAll()
    },
    commit: () => committer.commit(),
    async rewind(assignment, to) {
      let moved = false
      await committer.alone(async () => {
        // Looked at last: behind a rebalance the commit would be in the name of a generation that owns other partitions.
        if (state.ended || !assignment.live) return
        moved = true
        for (const { topic, partition, offset } of to) {
          assignment.restart(topic, partition)
          consumer.seek({ topic, partition, offset: `${offset}` })
        }
        handler.gate.wakeAll()
        handler.onDone()
        await commitOffsets(to)
      })
      return moved
    },
    stop: drainMs => (stopping ??= stop(drainMs))
  }

  async function stop(drainMs: number): Promise<void> {
    state.stopping = true
    await handler.drained(drainMs)
    if (!state.ended) await settlesWithin(committer.commit(), GRACE_MS)
    state.ended = true
    handler.endAssignment()
    unwatch()
    committer.stop()
    handler.stop()
    // kafkajs first hears that it stops; only then may its batches end, or they would be fetched again.
    const gone = consumer.disconnect()
    handler.gate.wakeAll()
    await settlesWithin(gone, GRACE_MS + settings.maxWaitTimeMs)
    client.destroy(new TransportClosed())
  }
}

interface Parts {
  consumer: Consumer
  settings: Settings
  state: MemberState
  committer: Committer
  handler: Handler
  membership: Membership
}

function listen(
  { consumer, settings, state, committer, handler, membership }: Parts,
  end: (reason: Error) => void
): () => void {
  const { GROUP_JOIN, REBALANCING, CRASH } = consumer.events
  const watcher = watch(consumer, settings, end)
  consumer.on(REBALANCING, () => {
    // Sent before the request to rejoin, hence still in the old generation.
    void committer.commitNow()
    handler.endAssignment()
    watcher.rejoining()
  })
  consumer.on(GROUP_JOIN, ({ payload }) => {
    if (state.ended) return
    handler.endAssignment()
    if (watcher.fetching() > 1 || handler.busy() > 0) {
      // kafkajs would resolve offsets of the old generation in the new one, and skip what lies between.
      end(new Error('rejoined the group while fetches were under way'))
      return
    }
    state.assignment = createAssignment(payload.memberAssignment, handler.onDone)
    handler.rejoined()
    watcher.joined()
    membership.onJoin()
  })
  consumer.on(CRASH, ({ payload }) => end(readError(payload.error)))
  return watcher.stop
}
