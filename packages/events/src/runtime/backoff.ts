import { setTimeout as sleep } from 'node:timers/promises'

/** A time, down by up to half, so that processes drift apart. */
export const jitter = (ms: number): number => ms * (0.5 + Math.random() / 2)

/** The pause after so many failures before it: the first, doubled with each up to the last, and jittered. */
export const backoffMs = (failures: number, { firstMs, lastMs }: { firstMs: number; lastMs: number }): number =>
  jitter(Math.min(lastMs, firstMs * 2 ** Math.min(failures, 30)))

/** Waits, unless it is aborted. Never rejects. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {})
}
