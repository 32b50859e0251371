/** What a payload's encryption may be bound to. */
export interface SealedEvent {
  id: string
  source: string
  type: string
  /** The event's key; absent where a foreign producer set none. */
  key?: string | undefined
}

/**
 * Makes of a payload, as JSON text, another JSON text, e.g. a string of ciphertext: the only one that is stored and sent.
 * Synchronous, so its keys must be at hand. What it throws fails the request.
 */
export type Seal = (payload: string, event: SealedEvent) => string

/**
 * The way back. It is asked for every payload, and gives back as it is what was not sealed. What it throws is a failure of the
 * delivery: retried, then held for a person.
 */
export type Open = (payload: string, event: SealedEvent) => string | Promise<string>
