import { brokerError } from '../broker-error.ts'
import { asError } from '../within.ts'

// Named differently by this client.
const NAMES: Record<string, string> = { NOT_LEADER_FOR_PARTITION: 'NOT_LEADER_OR_FOLLOWER' }

/**
 * What kafkajs has thrown, as a broker's answer where it was one: it wraps what it gave up on, or lists it. Of errors
 * without an answer the message stays.
 */
export function readError(thrown: unknown): Error {
  const error = asError(thrown)
  const type = typeIn(error)
  return type === undefined ? error : Object.assign(brokerError(NAMES[type] ?? type, error.message), { cause: error })
}

function typeIn(error: Error & { type?: unknown; errors?: unknown[] }): string | undefined {
  if (typeof error.type === 'string') return error.type
  for (const inner of [...(error.errors ?? []), error.cause]) {
    const type = inner instanceof Error ? typeIn(inner) : undefined
    if (type !== undefined) return type
  }
  return undefined
}

/** Does as `work` does, and throws what it throws as {@link readError} reads it. */
export async function reading<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (thrown) {
    throw readError(thrown)
  }
}
