import type { ServiceMessage } from './messages.ts'

/** Tells the harness that the service is up: from now on it may not end by itself. */
export function tellListening(): void {
  process.send?.({ kind: 'listening' } satisfies ServiceMessage)
}
