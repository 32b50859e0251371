import { setTimeout as sleep } from 'node:timers/promises'

export interface UntilOptions {
  /** Milliseconds after which the wait is given up; default 20000. */
  timeoutMs?: number
  /** Milliseconds between two looks; default 10. */
  intervalMs?: number
  /** What is waited for; named in the error. */
  what?: string
}

type Truthy<T> = Exclude<T, false | 0 | '' | 0n | null | undefined>

/**
 * Resolves with the first truthy value of `condition`; rejects, naming `what`, when there is none in time.
 * An error thrown by `condition` rejects at once.
 */
export async function until<T>(condition: () => T | Promise<T>, options: UntilOptions = {}): Promise<Truthy<T>> {
  const { timeoutMs = 20000, intervalMs = 10, what = '' } = options
  const end = performance.now() + timeoutMs
  for (;;) {
    const value = await condition()
    if (value) return value as Truthy<T>
    if (performance.now() > end)
      throw new Error(`not within ${timeoutMs} ms: ${what === '' ? String(condition) : what}`)
    await sleep(intervalMs)
  }
}
