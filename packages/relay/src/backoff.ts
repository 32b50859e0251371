/** The nth delay (from 0) of a doubling back-off, jittered down by up to half so that processes drift apart. */
export function backoffMs(failures: number, { baseMs, maxMs }: { baseMs: number; maxMs: number }): number {
  return Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30)) * (0.5 + Math.random() / 2)
}
