import type { Producer } from './driver.ts'
import type { Settings } from './options.ts'
import type { TopicInfos } from './topic-info.ts'

/** What publishing works with. */
export interface PublishContext {
  producer: Producer
  infos: TopicInfos
  settings: Settings
}

/** Ends the attempt: at the deadline, or when the caller's signal says so. */
export interface Limit {
  /** Set once time is up. */
  reached: Error | undefined
  /** Rejects when time is up. */
  promise: Promise<never>
}
