import { backoffMs } from '@steadfast/events/runtime'

/** Keeps the relay from asking something that is down at full speed. */
export interface Circuit {
  /** The reason of the last failure while there was no success since. */
  readonly reason: string | undefined
  /** Failures since the last success. */
  readonly failures: number
  /** ms since the first failure after the last success; 0 after a success. */
  failingMs(): number
  /** ms until the next probe; 0 when one may be made now, or none is needed. */
  waitMs(): number
  failed(reason: string): void
  succeeded(): void
}

export function circuit({ firstMs, lastMs }: { firstMs: number; lastMs: number }): Circuit {
  let failures = 0
  let until = 0
  let since: number | undefined
  let reason: string | undefined
  return {
    get reason() {
      return reason
    },
    get failures() {
      return failures
    },
    failingMs: () => (since === undefined ? 0 : performance.now() - since),
    waitMs: () => Math.max(0, until - performance.now()),
    failed(why) {
      reason = why
      since ??= performance.now()
      until = performance.now() + backoffMs(failures, { firstMs, lastMs })
      failures++
    },
    succeeded() {
      failures = 0
      until = 0
      since = undefined
      reason = undefined
    }
  }
}
