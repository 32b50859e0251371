import { setTimeout } from 'node:timers/promises'
import { checkRewind } from '../src/rewind.ts'
import {
  type Delivery,
  type Outgoing,
  type PublishResult,
  RUN_AHEAD,
  type SubscribeOptions,
  type Subscription,
  type Transport
} from '../src/transport.ts'

/** Ways in which the transport below can be wrong, each of which the suite must notice. */
export type Defect =
  | 'appends behind a refused message'
  | 'answers for the batch'
  | 'keeps to itself what a failure is about'
  | 'creates any topic'
  | 'calls a lost answer unavailable'
  | 'takes any size'
  | 'rejects'
  | 'ignores the signal'
  | 'offset is the highest done'
  | 'stale done counts'
  | 'ignores maxInFlight'
  | 'runs ahead without bound'
  | 'ignores pause'
  | 'close forgets offsets'
  | 'close does not wait'
  | 'rewind does nothing'
  | 'rewind goes forward'
  | 'rewind takes any time'
  | 'groups share offsets'
  | 'gives partitions to who does not read them'
  | 'loses headers'
  | 'keys are text'
  | 'new group starts at the end'
  | 'interleaves publishers badly'
  | 'lag ignores what is out'
  | 'lag ignores its end'

const MAX_BYTES = 1000

/** A message as the log holds it: its key is bytes. */
type LogRecord = Omit<Outgoing, 'key'> & { key: Buffer | null }

interface Group {
  offsets: Map<string, number>
  members: Member[]
}

interface Partition {
  id: string
  topic: string
  index: number
  records: { message: LogRecord; at: Date }[]
}

interface Member {
  options: SubscribeOptions
  onDelivery: (delivery: Delivery) => void
  owned: Set<string>
  next: Map<string, number>
  done: Map<string, Set<number>>
  /** Handed out and not done, by partition. */
  out: Map<string, number>
  epoch: number
  paused: boolean
  leaving: boolean
  closeBy: number
}

function countOut({ out }: Member): number {
  return [...out.values()].reduce((sum, n) => sum + n, 0)
}

/** A broker in memory: what several clients share. */
export function memoryBroker(defect?: Defect) {
  const topics = new Map<string, Partition[]>()
  const groups = new Map<string, Group>()
  const state = { answersLost: false, away: false }
  const partitions = (names: readonly string[]) => names.flatMap(name => topics.get(name) ?? [])

  function createTopic(topic: string, count: number): void {
    if (topics.has(topic)) return
    topics.set(
      topic,
      Array.from({ length: count }, (_, index) => ({ id: `${topic}/${index}`, topic, index, records: [] }))
    )
  }

  function append(message: LogRecord): void {
    const all = topics.get(message.topic) ?? []
    const sum = (message.key ?? Buffer.alloc(0)).reduce((n, byte) => n + byte, 0)
    const records = all[sum % all.length]?.records
    const record = { message, at: new Date() }
    if (defect === 'interleaves publishers badly') records?.unshift(record)
    else records?.push(record)
  }

  function rebalance(group: Group): void {
    for (const [i, member] of group.members.entries()) {
      const mine = partitions(member.options.topics).filter(({ topic, index }) => {
        const readers = group.members.filter(({ options }) => options.topics.includes(topic))
        if (defect === 'gives partitions to who does not read them') return index % group.members.length === i
        return readers[index % readers.length] === member
      })
      const ids = new Set(mine.map(({ id }) => id))
      for (const id of member.owned) if (!ids.has(id)) member.epoch++
      for (const partition of mine) {
        if (member.owned.has(partition.id)) continue
        const start = defect === 'new group starts at the end' ? partition.records.length : 0
        member.next.set(partition.id, group.offsets.get(partition.id) ?? start)
        member.done.set(partition.id, new Set())
      }
      member.owned = ids
    }
  }

  function pump(group: Group, member: Member): void {
    for (const { id, topic, index, records } of partitions([...member.options.topics])) {
      while (member.owned.has(id) && !member.leaving) {
        if (member.paused && defect !== 'ignores pause') return
        if (countOut(member) >= member.options.maxInFlight && defect !== 'ignores maxInFlight') return
        const offset = member.next.get(id) ?? 0
        const ahead = offset - (group.offsets.get(id) ?? 0)
        if (ahead >= member.options.maxInFlight * RUN_AHEAD && defect !== 'runs ahead without bound') break
        const record = records[offset]
        if (!record) break
        member.next.set(id, offset + 1)
        member.out.set(id, (member.out.get(id) ?? 0) + 1)
        member.onDelivery(delivery(group, member, { id, topic, index, offset, ...record }))
      }
    }
  }

  const keyOf = (key: Buffer) => (defect === 'keys are text' ? Buffer.from(key.toString()) : key)

  function delivery(
    group: Group,
    member: Member,
    of: { id: string; topic: string; index: number; offset: number; message: LogRecord; at: Date }
  ): Delivery {
    const epoch = member.epoch
    // Another one after a rewind.
    const done = member.done.get(of.id) ?? new Set()
    let called = false
    return {
      topic: of.topic,
      ...(of.message.key === null ? {} : { key: keyOf(of.message.key) }),
      headers: defect === 'loses headers' ? {} : of.message.headers,
      raw: of.message.value,
      timestamp: of.at,
      position: `${of.index}:${of.offset}`,
      done() {
        if (called) return
        called = true
        const stale = epoch !== member.epoch || member.done.get(of.id) !== done || !member.owned.has(of.id)
        if (stale && defect !== 'stale done counts') return
        member.out.set(of.id, (member.out.get(of.id) ?? 0) - 1)
        done.add(of.offset)
        let offset = group.offsets.get(of.id) ?? 0
        if (defect === 'offset is the highest done') offset = Math.max(offset, of.offset + 1)
        if (stale) offset = Math.max(offset, of.offset + 1)
        while (done.has(offset)) offset++
        group.offsets.set(of.id, offset)
      }
    }
  }

  function create(): Transport {
    const joined: { close(deadlineMs: number): Promise<void> }[] = []
    const timer = setInterval(() => {
      for (const group of groups.values()) for (const member of group.members) pump(group, member)
    }, 2).unref()

    async function publish(batch: readonly Outgoing[], signal: AbortSignal): Promise<PublishResult[]> {
      await setTimeout(0)
      const failed = (kind: 'refused' | 'unavailable' | 'unknown'): PublishResult & { ok: false } => ({
        ok: false,
        kind,
        error: new Error(kind)
      })
      if (state.away) {
        if (defect === 'rejects') throw new Error('connection refused')
        return batch.map(() => failed('unavailable'))
      }
      const blocked = new Set<string>()
      const results = batch.map((message): PublishResult => {
        if (signal.aborted) return failed('unavailable')
        if (defect === 'creates any topic') createTopic(message.topic, 1)
        if (!topics.has(message.topic)) {
          const result = failed('unavailable')
          return defect === 'keeps to itself what a failure is about' ? result : { ...result, about: 'topic' }
        }
        if (message.value.length > MAX_BYTES && defect !== 'takes any size') {
          blocked.add(message.key)
          return failed('refused')
        }
        if (blocked.has(message.key) && defect !== 'appends behind a refused message') return failed('unavailable')
        append({ ...message, key: Buffer.from(message.key) })
        return { ok: true }
      })
      if (defect === 'answers for the batch' && results.some(r => !r.ok)) return batch.map(() => failed('refused'))
      if (!state.answersLost) return results
      const wait = new Promise<void>(resolve => {
        if (defect !== 'ignores the signal') {
          setTimeout(50).then(resolve)
          signal.addEventListener('abort', () => resolve())
        }
      })
      await wait
      return batch.map(() => failed(defect === 'calls a lost answer unavailable' ? 'unavailable' : 'unknown'))
    }

    async function subscribe(options: SubscribeOptions, onDelivery: (d: Delivery) => void): Promise<Subscription> {
      const name = defect === 'groups share offsets' ? options.topics.join() : options.group
      const group: Group = groups.get(name) ?? { offsets: new Map(), members: [] }
      groups.set(name, group)
      const member: Member = {
        options,
        onDelivery,
        owned: new Set(),
        next: new Map(),
        done: new Map(),
        out: new Map(),
        epoch: 0,
        paused: false,
        leaving: false,
        closeBy: Number.POSITIVE_INFINITY
      }
      group.members.push(member)
      rebalance(group)
      const subscription = subscriptionOf(group, member)
      joined.push(subscription)
      return subscription
    }

    return {
      name: 'memory',
      capabilities: { order: 'key', rewind: true, maxBytes: MAX_BYTES },
      async ensureTopics(wanted) {
        for (const topic of wanted) createTopic(topic.name, topic.partitions)
      },
      publish,
      subscribe,
      health: () => (state.away ? { ready: false, reason: 'away' } : { ready: true }),
      async close(deadlineMs) {
        await Promise.all(joined.splice(0).map(subscription => subscription.close(deadlineMs)))
        clearInterval(timer)
      }
    }
  }

  function subscriptionOf(group: Group, member: Member): Subscription {
    return {
      pause() {
        member.paused = true
      },
      resume() {
        member.paused = false
      },
      async lag(upTo) {
        const ends: Record<string, number> | undefined = upTo === undefined ? undefined : JSON.parse(upTo)
        const total = partitions(member.options.topics).reduce((n, { id, records }) => {
          const from = defect === 'lag ignores what is out' ? member.next.get(id) : group.offsets.get(id)
          const end = ends && defect !== 'lag ignores its end' ? (ends[id] ?? 0) : records.length
          return n + Math.max(0, end - (from ?? 0))
        }, 0)
        return BigInt(total)
      },
      async end() {
        const all = partitions(member.options.topics)
        return JSON.stringify(Object.fromEntries(all.map(({ id, records }) => [id, records.length])))
      },
      async rewind(to) {
        if (defect !== 'rewind takes any time') checkRewind(to)
        if (defect === 'rewind does nothing') return
        for (const { id, records } of partitions(member.options.topics)) {
          if (!member.owned.has(id)) continue
          const found = to === 'beginning' ? 0 : records.findIndex(({ at }) => at >= to)
          const offset = found === -1 ? records.length : found
          if (offset >= (group.offsets.get(id) ?? 0) && defect !== 'rewind goes forward') continue
          member.out.delete(id)
          group.offsets.set(id, offset)
          member.next.set(id, offset)
          member.done.set(id, new Set())
        }
      },
      async close(deadlineMs) {
        member.closeBy = Math.min(member.closeBy, Date.now() + deadlineMs)
        if (member.leaving) return
        member.leaving = true
        while (defect !== 'close does not wait' && countOut(member) > 0 && Date.now() < member.closeBy)
          await setTimeout(1)
        member.epoch++
        group.members.splice(group.members.indexOf(member), 1)
        member.owned.clear()
        if (defect === 'close forgets offsets') group.offsets.clear()
        rebalance(group)
      }
    }
  }

  /** Writes as a producer does that is none of ours. */
  async function write(topic: string, records: readonly { key: Buffer | null; value: Buffer }[], headers = {}) {
    for (const record of records) append({ topic, headers, ...record })
  }

  return { create, state, write }
}
