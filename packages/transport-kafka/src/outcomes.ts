import type { Outgoing, PublishResult } from '@steadfast/events'
import { reasonOf } from './broker-error.ts'
import type { FailureKind } from './classify-error.ts'
import { KeyBlocked, MessageRefused, OutcomeUnknown, PublishUnavailable } from './errors.ts'
import type { Entry } from './record-size.ts'

/** What became of each message of a batch, so far. */
export interface Outcomes {
  ok(entries: readonly Entry[]): void
  /** Settles one message and blocks the later ones of its key. */
  fail(index: number, kind: FailureKind, error: Error, about?: 'topic'): void
  /** From now on the answer for these is `unknown` until something better is known. */
  sent(entries: readonly Entry[]): void
  /** The entries that may be sent; the rest is settled already, or is now, as an earlier message of its key failed. */
  sendable(entries: readonly Entry[]): Entry[]
  /** Settles what is still open: `unknown` where it was sent, `unavailable` otherwise. */
  failRest(error: Error): void
  results(): PublishResult[]
}

const OK: PublishResult = Object.freeze({ ok: true })

/** Keeps the rule of order: after a failed message of a key no later message of that key is appended. */
export function createOutcomes(batch: readonly Outgoing[]): Outcomes {
  const results: (PublishResult | undefined)[] = new Array(batch.length)
  const wasSent = new Uint8Array(batch.length)
  /** By topic and key, the first message that failed. */
  const blocked = new Map<string, number>()

  function fail(index: number, kind: FailureKind, error: Error, about?: 'topic'): void {
    results[index] ??= { ok: false, kind, ...(about === undefined ? {} : { about }), error }
    const name = nameOf(batch[index] as Outgoing)
    blocked.set(name, Math.min(index, blocked.get(name) ?? index))
  }

  return {
    fail,
    ok(entries) {
      for (const { index } of entries) results[index] ??= OK
    },
    sent(entries) {
      for (const { index } of entries) wasSent[index] = 1
    },
    sendable(entries) {
      if (blocked.size === 0) return entries as Entry[]
      return entries.filter(({ index }) => {
        if (results[index]) return false
        const outgoing = batch[index] as Outgoing
        const first = blocked.get(nameOf(outgoing))
        if (first === undefined || index < first) return true
        fail(index, 'unavailable', new KeyBlocked(outgoing.topic))
        return false
      })
    },
    failRest(error) {
      for (let index = 0; index < batch.length; index++) {
        if (results[index]) continue
        const { topic } = batch[index] as Outgoing
        const kind = wasSent[index] ? 'unknown' : 'unavailable'
        fail(index, kind, describe(kind, topic, error))
      }
    },
    results() {
      return Array.from(results, result => result as PublishResult)
    }
  }
}

function nameOf({ topic, key }: Outgoing): string {
  return `${topic}\n${key}`
}

/** The coded error of a message for what happened to its request. */
export function describe(kind: FailureKind, topic: string, reason: Error): Error {
  if (kind === 'refused') return new MessageRefused(topic, reasonOf(reason))
  if (kind === 'unavailable') return new PublishUnavailable(topic, reasonOf(reason))
  return new OutcomeUnknown(topic, reasonOf(reason))
}
