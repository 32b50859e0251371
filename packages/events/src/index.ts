export {
  buildEvent,
  EVENT_DEFAULTS,
  type EventDefaults,
  type ExactJson,
  exactJson,
  isUuid,
  type NewEvent,
  type SendOptions
} from './build-event.ts'
export {
  type AnyEventContract,
  type Awaits,
  defineEvent,
  type EventContract,
  type EventData,
  type EventDefinition,
  sendersOf
} from './define-event.ts'
export {
  decodeEnvelope,
  type EventEnvelope,
  encodeEvent,
  eventIdOf,
  fullIdOf,
  keyBytesOf,
  keyIdOf,
  placeIdOf,
  type SendableEvent,
  textOf
} from './envelope.ts'
export * as errors from './errors.ts'
export { LANES, laneOf } from './lane.ts'
export { createLogSampler, type LogSampler } from './log-sampler.ts'
export {
  CENTURY_MS,
  durationOption,
  functionOption,
  InvalidOptions,
  instanceOption,
  LONGEST_MS,
  parseOptions
} from './options.ts'
export { checkRewind } from './rewind.ts'
export type { Open, Seal, SealedEvent } from './seal.ts'
export { InProgressSignal, ReceiptSignal, RefusedSignal } from './signals.ts'
export { checkKey, type SigningKey, signMessage, type Verification, verifyDelivery } from './signature.ts'
export { inBinaryMode } from './structured.ts'
export { adviseOnTopic, type TopicFacts, type TopicNeeds } from './topic-facts.ts'
export {
  type Delivery,
  type Outgoing,
  type PublishResult,
  RUN_AHEAD,
  type SubscribeOptions,
  type Subscription,
  type Transport
} from './transport.ts'
export { warnOfTopics } from './warn-of-topics.ts'
