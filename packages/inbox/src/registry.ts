import type { AnyEventContract } from '@steadfast/events'
import { UNANSWERED_TOPIC, UNANSWERED_TYPE } from '@steadfast/store/internal'
import type { FastifyInstance } from 'fastify'
import { DuplicateHandler } from './errors.ts'
import type { ParsedHandlerOptions } from './options.ts'

/** A handler as it was declared. */
export interface Handler {
  contract: AnyEventContract
  options: ParsedHandlerOptions
  /** Where its route is, prefix included. */
  url: string
  /** The instance it was declared on. */
  instance: FastifyInstance
}

/** What the handlers and `ignoreEvents` of a service declare. */
export interface Registry {
  add(handler: Handler): void
  ignore(topic: string, types: readonly string[] | '*'): void
  find(group: string, type: string): Handler | undefined
  /** Whether a group need not be asked: the type is ignored on the topic, or another group's. */
  ignores(topic: string, type: string): boolean
  /** The types that a group's handlers take, and by the same index the versions of their data. */
  known(group: string): { types: string[]; versions: (string | null)[] }
  groups(): string[]
  /** The topics of the log that a group reads. */
  topics(group: string): string[]
  /** The types of the requests of which a group is told when nobody answers. */
  unanswered(group: string): string[]
}

export function createRegistry(): Registry {
  const handlers = new Map<string, Map<string, Handler>>()
  const ignored = new Map<string, Set<string> | '*'>()
  return {
    add(handler) {
      const { group } = handler.options
      const { type } = handler.contract
      const ofGroup = handlers.get(group) ?? new Map<string, Handler>()
      handlers.set(group, ofGroup)
      if (ofGroup.has(type)) throw new DuplicateHandler(group, type)
      ofGroup.set(type, handler)
    },
    ignore(topic, types) {
      const before = ignored.get(topic)
      if (types === '*' || before === '*') ignored.set(topic, '*')
      else ignored.set(topic, new Set([...(before ?? []), ...types]))
    },
    find: (group, type) => handlers.get(group)?.get(type),
    ignores(topic, type) {
      const types = ignored.get(topic)
      if (types === '*' || types?.has(type)) return true
      return [...handlers.values()].some(ofGroup => ofGroup.has(type))
    },
    known(group) {
      const contracts = [...(handlers.get(group)?.values() ?? [])].map(({ contract }) => contract)
      return { types: contracts.map(c => c.type), versions: contracts.map(c => c.dataVersion ?? null) }
    },
    groups: () => [...handlers.keys()],
    topics: group => {
      const topics = [...(handlers.get(group)?.values() ?? [])].map(({ contract }) => contract.topic)
      return [...new Set(topics)].filter(topic => topic !== UNANSWERED_TOPIC)
    },
    unanswered: group =>
      [...(handlers.get(group)?.values() ?? [])]
        .filter(({ contract }) => contract.topic === UNANSWERED_TOPIC)
        .map(({ contract }) => contract.type.slice(UNANSWERED_TYPE.length))
  }
}
