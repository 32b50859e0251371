import { type Delivery, type EventContract, sendersOf, verifyDelivery } from '@steadfast/events'
import type { NewDelivery } from '@steadfast/store/internal'
import { ForeignSource, WrongTopic } from './errors.ts'
import type { Consumer } from './types.ts'

/** Why a delivery is not believed whatever its type is: its signature. `undefined`: it fits, or none is asked for. */
export function forgery(consumer: Consumer, delivery: Delivery): Error | undefined {
  const { verify } = consumer.options
  if (verify === undefined) return undefined
  try {
    verifyDelivery(delivery, verify)
    return undefined
  } catch (error) {
    return error as Error
  }
}

/**
 * Why a delivery is not believed to be what it says: it stands on another topic than its contract's, or says that it is
 * from somebody whom the contract does not allow. `undefined`: it is believed.
 */
export function disbelief(contract: EventContract, { type, topic, source }: NewDelivery): Error | undefined {
  if (topic !== contract.topic) return new WrongTopic(type, topic, clip(source))
  const senders = sendersOf(contract)
  return senders === undefined || senders.includes(source) ? undefined : new ForeignSource(type, topic, clip(source))
}

const TOPIC = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/
const WARNED_MAX = 1000

/**
 * The topic where the sender of a delivery is told: what its envelope asks for, if that is the source's own topic of
 * signals or one that the options allow it. `null`: nobody is told. Whoever asks for another one is warned of once.
 */
export function replyTopicOf(consumer: Consumer, { source, envelope }: NewDelivery): string | null {
  const { replyTo } = envelope
  if (replyTo === undefined) return null
  const allowed = consumer.options.replyTo
  const topics = Object.hasOwn(allowed, source) ? allowed[source] : undefined
  if ([`${source}.signals`, ...[topics ?? []].flat()].includes(replyTo) && TOPIC.test(replyTo)) return replyTo
  const { warned } = consumer
  if (!warned.has(source) && warned.size < WARNED_MAX) {
    warned.add(source)
    consumer.log.warn({ source, replyTo: clip(replyTo) }, 'signals are not sent there: see the option replyTo')
  }
  return null
}

const CLIP = 200

/** A text of somebody else's, short enough for a line of the log. */
export const clip = (text: string): string => (text.length > CLIP ? `${text.slice(0, CLIP)}…` : text)
