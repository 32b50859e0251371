/** What a broker keeps of a topic. What it does not tell is absent; without a limit it is `Infinity`. */
export interface TopicFacts {
  name: string
  /** How long a message stays at least, in ms. */
  retentionMs?: number
  /** The size of a partition from which on its oldest messages go, read or not. */
  retentionBytes?: number
  /** So much longer than `retentionMs` a message may stay, in ms: they go by the segment. */
  segmentMs?: number
  /** Of each key only the last message is kept for good. */
  isCompacted?: boolean
  /** The largest batch of messages, in bytes. */
  maxMessageBytes?: number
  /** Copies of each message, of the partition that has the fewest. */
  replicas?: number
  /** So many copies there are when the broker says that it has a message, at least. */
  minInSync?: number
  /** Of the whole cluster. */
  brokers?: number
}

/** What a service needs of a topic. */
export interface TopicNeeds {
  /** It sends payloads of so many bytes. */
  sendsBytes?: number
  /** It reads the topic, and knows an event for so long, in ms; `undefined`: it is not told. */
  reads?: { knowsForMs: number | undefined }
}

const DAY_MS = 86_400_000
/** Room in a batch beside the payload: its headers, its key, and what frames them. */
const BESIDE_PAYLOAD_BYTES = 16 * 1024

/** Where a topic does not give what the promises need, in sentences for who owns it. */
export function adviseOnTopic(facts: TopicFacts, { sendsBytes, reads }: TopicNeeds): string[] {
  const { retentionMs, retentionBytes, segmentMs, isCompacted, maxMessageBytes, replicas, minInSync, brokers } = facts
  const advice: string[] = []
  if (isCompacted === true)
    advice.push(
      'it is compacted: an event is lost when a later one of its key comes before it was read (cleanup.policy)'
    )
  if (retentionMs !== undefined && retentionMs < DAY_MS)
    advice.push(`it keeps messages for ${inWords(retentionMs)} only: what was not read by then is lost (retention.ms)`)
  if (retentionBytes !== undefined && retentionBytes !== Number.POSITIVE_INFINITY)
    advice.push(
      `of more than ${retentionBytes} bytes of a partition the oldest are deleted, read or not (retention.bytes)`
    )
  if (sendsBytes !== undefined && maxMessageBytes !== undefined && maxMessageBytes < sendsBytes + BESIDE_PAYLOAD_BYTES)
    advice.push(
      `it takes ${maxMessageBytes} bytes, and the outbox payloads of ${sendsBytes}: one that is too large is parked ` +
        '(max.message.bytes, maxPayloadBytes)'
    )
  if (sendsBytes !== undefined && replicas !== undefined && brokers !== undefined && replicas < Math.min(3, brokers))
    advice.push(
      `it has ${replicas} of ${Math.min(3, brokers)} copies: what was sent is lost with the brokers that hold it`
    )
  if (sendsBytes !== undefined && replicas !== undefined && replicas > 2 && minInSync !== undefined && minInSync < 2)
    advice.push(
      'one copy is enough to say that it was sent, and may be lost with its broker (min.insync.replicas below 2)'
    )
  if (
    sendsBytes !== undefined &&
    replicas !== undefined &&
    replicas > 1 &&
    minInSync !== undefined &&
    minInSync >= replicas
  )
    advice.push('nothing can be sent while one of its brokers is away (min.insync.replicas is the number of copies)')
  const longest = retentionMs === undefined ? undefined : retentionMs + (segmentMs ?? 0)
  const known = reads?.knowsForMs
  if (known !== undefined && longest !== undefined && longest > known)
    advice.push(
      `it keeps messages for up to ${inWords(longest)}, and the inbox knows them for ${inWords(known)}: one that is read ` +
        'again after that takes effect again (retention.ms, segment.ms; topicRetentionMs, inboxMs of the sweeper)'
    )
  return advice
}

function inWords(ms: number): string {
  if (ms === Number.POSITIVE_INFINITY) return 'ever'
  if (ms >= 2 * DAY_MS) return `${Math.round(ms / DAY_MS)} days`
  if (ms >= 3_600_000) return `${Math.round(ms / 360_000) / 10} h`
  return ms >= 1000 ? `${Math.round(ms / 1000)} s` : `${ms} ms`
}
