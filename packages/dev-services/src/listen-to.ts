import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Teardown } from './test-database.ts'

/** What is published on a channel of `node:diagnostics_channel` until the end of the test. */
export function listenTo<Message>(t: Teardown, channel: string): Message[] {
  const heard: Message[] = []
  const listener = (message: unknown) => void heard.push(message as Message)
  subscribe(channel, listener)
  t.teardown(() => unsubscribe(channel, listener))
  return heard
}
