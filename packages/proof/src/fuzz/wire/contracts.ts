import { defineEvent, type EventContract } from '@steadfast/events'
import { Type } from 'typebox'
import { ANY, GOOD, TREE } from './records.ts'

/** The topic of all fuzzed records. */
export const TOPIC = 'fuzz'

export const Good = defineEvent({
  type: GOOD,
  topic: TOPIC,
  key: data => data.id,
  data: Type.Object({ id: Type.String(), n: Type.Integer() })
})

const Node = Type.Cyclic({ Node: Type.Object({ c: Type.Optional(Type.Ref('Node')) }) }, 'Node')
export const Tree = defineEvent({ type: TREE, topic: TOPIC, data: Node })

export const Anything = defineEvent({ type: ANY, topic: TOPIC, data: Type.Unknown() })

export const CONTRACTS = new Map(
  [Good, Tree, Anything].map(contract => [contract.type as string, contract as unknown as EventContract])
)
