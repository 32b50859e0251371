import { setTimeout as sleep } from 'node:timers/promises'
import type { Assignment, Commit } from '../assignment.ts'
import { nameOfError, reasonOf } from '../broker-error.ts'
import type { Membership, TopicView } from '../driver.ts'
import type { Gate } from '../gate.ts'
import type { Logger, Settings } from '../options.ts'
import { asError } from '../within.ts'
import type { Connections } from './connections.ts'
import { fetchParts, type Part } from './fetch-request.ts'
import { createHandOut, type HandOut } from './hand-out.ts'
import { describeFailures, type Lane, moveTo, startingLanes } from './lane.ts'
import type { OpenCluster } from './open-cluster.ts'
import { DAMAGED, readRecords } from './read-records.ts'

/** Fetches what an assignment owns, and hands it out. */
export interface Fetcher {
  /** From the committed offsets on, until the assignment ends. */
  begin(mine: Assignment): void
  /** Goes on at these offsets. */
  restart(mine: Assignment, offsets: readonly Commit[]): void
  /** There may be room again, or something is done. */
  look(): void
  /** Which partitions cannot be read now, and why. */
  failure(): string | undefined
}

interface Parts {
  cluster: OpenCluster
  connections: Connections
  settings: Settings
  logger: Logger
  membership: Membership
  gate: Gate
  /** Whether anything may be handed out now, apart from how much is out. */
  isOpen(): boolean
  /** The member is of no use any more. */
  end(reason: Error): void
}

// While another partition of the same broker is handed out, and may be fetched any moment, nobody waits longer for data.
const SHORT_WAIT_MS = 50
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 3000
const VIEWS_MAX_AGE_MS = 60_000
// What is damaged on the way is not damaged again.
const DAMAGED_TRIES = 3
// A topic that is gone for so many tries is not one that its broker has only just heard of.
const GONE_TRIES = 10

/** Begins anew with each assignment. */
export function createFetcher(parts: Parts): Fetcher {
  const { cluster, logger, membership, gate } = parts
  const handing = createHandOut(membership, gate, parts.isOpen, logger)
  let lanes: Lane[] = []
  /** Where a rewind leads to that came before the lanes were known. */
  let early: Commit[] = []
  let pump: () => void = () => undefined

  /** Again until it works, for as long as the assignment lives: the member's heartbeats say when it does not. */
  async function begin(mine: Assignment): Promise<void> {
    for (let delayMs = FIRST_RETRY_MS; mine.live; delayMs = Math.min(delayMs * 2, LAST_RETRY_MS)) {
      try {
        const found = await startingLanes(cluster, membership.group, mine)
        if (!mine.live) return
        moveTo(found, early)
        lanes = found
        pump = await startLoop(parts, handing, mine, lanes)
        return
      } catch (thrown) {
        logger.debug({ err: asError(thrown), group: membership.group }, 'where to begin could not be asked')
        await sleep(delayMs)
      }
    }
  }

  return {
    begin(mine) {
      lanes = []
      early = []
      pump = () => undefined
      void begin(mine)
    },
    restart(mine, offsets) {
      for (const { topic, partition } of offsets) mine.restart(topic, partition)
      early.push(...offsets)
      moveTo(lanes, offsets)
      gate.wakeAll()
    },
    look() {
      handing.look()
      pump()
    },
    failure: () => describeFailures(lanes)
  }
}

/**
 * One request at a time to each leader, for those of its partitions that are idle. What fails for one partition leaves the
 * others alone.
 *
 * @returns looks for what may be fetched; to be called whenever there may be something
 */
async function startLoop(
  parts: Parts,
  handing: HandOut,
  mine: Assignment,
  lanes: readonly Lane[]
): Promise<() => void> {
  const { cluster, connections, settings, logger, membership, end } = parts
  const { group, topics } = membership
  const { maxFetchBytes: maxBytes, maxPartitionBytes, maxUnpackedBytes } = settings
  const asked = new Set<number>()
  let views = new Map<string, TopicView>()
  let viewedAt = 0
  let viewing: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  /** The last look found no room. */
  let isStarved = true

  const leaderOf = ({ topic, partition }: Lane) => views.get(topic)?.leaders[partition] ?? -1

  async function view(): Promise<void> {
    const found = await cluster.topics(topics)
    for (const [topic, { leaders }] of found) {
      const before = views.get(topic)?.leaders.length ?? 0
      if (mine.live && before > 0 && leaders.length > before)
        end(new Error(`the number of partitions of ${topic} has changed`))
    }
    views = found
    viewedAt = performance.now()
  }

  /** Asks where the partitions are, unless that is being asked. */
  function viewAgain(): void {
    if (viewing !== undefined) return
    viewing = view()
      .catch(thrown => logger.debug({ err: asError(thrown), group }, 'leaders are not known'))
      .finally(() => {
        viewing = undefined
        pump()
      })
  }

  function pump(): void {
    if (!mine.live) return
    isStarved = !handing.hasRoom(mine)
    if (isStarved) return
    const now = performance.now()
    if (now > viewedAt + VIEWS_MAX_AGE_MS) viewAgain()
    const due = lanes.filter(({ phase, dueAt }) => phase === 'idle' && dueAt <= now)
    for (const [leader, of] of Map.groupBy(due, leaderOf)) {
      if (leader < 0) for (const lane of of) fail(lane, views.get(lane.topic)?.error ?? 'it has no leader')
      else if (!asked.has(leader)) void fetch(leader, of)
    }
    pumpLater()
  }

  /** At the time of the first partition that is left alone for a while. */
  function pumpLater(): void {
    clearTimeout(timer)
    const waiting = lanes.filter(({ phase, dueAt }) => phase === 'idle' && dueAt > performance.now())
    if (waiting.length === 0) return
    const next = Math.min(...waiting.map(({ dueAt }) => dueAt))
    timer = setTimeout(pump, Math.max(1, next - performance.now()))
    timer.unref()
  }

  /** Leaves a partition alone for a while, and asks where it is. */
  function fail(lane: Lane, reason: string): void {
    lane.failures++
    lane.failure = reason === FORBIDDEN ? `${reason}: the right Read is missing` : reason
    lane.dueAt = performance.now() + Math.min(FIRST_RETRY_MS * 2 ** Math.min(lane.failures - 1, 10), LAST_RETRY_MS)
    const { topic, partition } = lane
    if (lane.failures === 1)
      logger.warn({ group, topic, partition, reason: lane.failure }, 'a partition cannot be read')
    if (reason === GONE && lane.failures >= GONE_TRIES) end(new Error(`topic ${topic} is gone`))
    else viewAgain()
  }

  /** Never rejects. */
  async function fetch(leader: number, of: readonly Lane[]): Promise<void> {
    asked.add(leader)
    const runs = new Map(of.map(lane => [lane, mine.run(lane.topic, lane.partition)]))
    for (const lane of of) lane.phase = 'fetching'
    const isSoonMore = lanes.some(lane => lane.phase === 'out' && leaderOf(lane) === leader)
    const maxWaitMs = isSoonMore ? SHORT_WAIT_MS : settings.maxWaitTimeMs
    let found: Part[] = []
    let failure = 'the broker did not answer for it'
    try {
      const connection = await connections.to(await cluster.broker(leader))
      found = await fetchParts(connection, of, { maxWaitMs, maxBytes, maxPartitionBytes })
    } catch (thrown) {
      failure = reasonOf(asError(thrown))
    }
    if (!mine.live) return
    for (const lane of of) {
      lane.phase = 'idle'
      // A rewind came in between.
      if (mine.run(lane.topic, lane.partition) !== runs.get(lane)) continue
      const part = found.find(({ topic, partition }) => topic === lane.topic && partition === lane.partition)
      if (part === undefined) fail(lane, failure)
      else take(lane, part)
    }
    asked.delete(leader)
    pump()
  }

  function take(lane: Lane, { errorCode, aborted, bytes }: Part): void {
    const error = nameOfError(errorCode)
    if (error === OUT_OF_RANGE) void backToWhatIsLeft(lane)
    else if (error !== undefined) fail(lane, error)
    else {
      try {
        const read = readRecords(bytes, lane.offset, aborted, maxUnpackedBytes)
        if (read.unreadable?.reason === DAMAGED && lane.failures < DAMAGED_TRIES) throw new Error(DAMAGED)
        if (read.unreadable !== undefined) logUnreadable(lane, read.unreadable)
        lane.failures = 0
        lane.failure = undefined
        handing.handOut(mine, lane, read).then(pump, thrown => end(asError(thrown)))
      } catch (thrown) {
        fail(lane, reasonOf(asError(thrown)))
      }
    }
  }

  /** The log does not hold what is behind the offset: its time was over before it was read, or the broker has lost it. */
  async function backToWhatIsLeft(lane: Lane): Promise<void> {
    const { topic, partition, offset } = lane
    lane.phase = 'fetching'
    try {
      const begin = (await cluster.offsets([topic], 'beginning')).get(topic)?.get(partition) ?? 0n
      const about = { group, topic, partition, offset: `${offset}`, begin: `${begin}` }
      logger.error(about, 'Offset out of range: the log does not hold it any more; goes on at what is left')
      lane.offset = begin
      lane.phase = 'idle'
      pump()
    } catch (thrown) {
      lane.phase = 'idle'
      fail(lane, reasonOf(asError(thrown)))
    }
  }

  function logUnreadable({ topic, partition }: Lane, { offset, reason }: { offset: bigint; reason: string }): void {
    logger.error({ group, topic, partition, offset: `${offset}`, reason }, 'a record batch cannot be read')
  }

  await view()
  pump()
  return () => {
    if (isStarved) pump()
  }
}

const OUT_OF_RANGE = 'OFFSET_OUT_OF_RANGE'
const FORBIDDEN = 'TOPIC_AUTHORIZATION_FAILED'
const GONE = 'UNKNOWN_TOPIC_OR_PARTITION'
