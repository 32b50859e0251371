import { TransportClosed } from './errors.ts'
import { asError } from './within.ts'

/** Connects, one attempt at a time, and again in the background, with growing pauses, after one that failed. */
export interface Connector<T> {
  connect(): Promise<T>
  /** What was connected has failed: it is connected again in the background. */
  lost(reason: Error): void
  /** What happened is a reason to doubt; the next attempt tells. */
  doubt(reason: Error): void
  /** Why there is no connection, from the last attempt. */
  failure(): Error | undefined
  close(): void
}

const FIRST_BACKOFF_MS = 100
const LAST_BACKOFF_MS = 5000

/** `onConnected` is called with each success. */
export function createConnector<T>(attempt: () => Promise<T>, onConnected: () => void): Connector<T> {
  let connecting: Promise<T> | undefined
  let failure: Error | undefined
  let closed = false
  let backoffMs = FIRST_BACKOFF_MS
  let timer: NodeJS.Timeout | undefined

  async function attemptOnce(): Promise<T> {
    if (closed) throw new TransportClosed()
    clearTimeout(timer)
    try {
      const connected = await attempt()
      failure = undefined
      backoffMs = FIRST_BACKOFF_MS
      onConnected()
      return connected
    } catch (thrown) {
      lost(asError(thrown))
      throw thrown
    }
  }

  function connect(): Promise<T> {
    connecting ??= attemptOnce().finally(() => {
      connecting = undefined
    })
    return connecting
  }

  function lost(reason: Error): void {
    failure = reason
    if (closed) return
    clearTimeout(timer)
    timer = setTimeout(() => connect().catch(() => undefined), backoffMs)
    timer.unref()
    backoffMs = Math.min(backoffMs * 2, LAST_BACKOFF_MS)
  }

  return {
    connect,
    lost,
    doubt(reason) {
      failure = reason
      connect().catch(() => undefined)
    },
    failure: () => failure,
    close() {
      closed = true
      clearTimeout(timer)
    }
  }
}
