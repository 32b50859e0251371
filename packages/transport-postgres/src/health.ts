import type { Logger } from './options.ts'

/** What is known of the connection, by who learned it last. */
export interface Health {
  /** Not usable yet, as at every start: nothing to warn of. */
  pending(source: string, error: Error): void
  failed(source: string, error: Error): void
  worked(source: string): void
  /** The source is no more. */
  forget(source: string): void
  state(): { ready: boolean; reason?: string }
}

/** Ready when nobody's last word was a failure. Changes are logged, not repetitions. */
export function createHealth(logger: Logger): Health {
  const failures = new Map<string, Error>()
  const waiting = new Set<string>()
  return {
    pending(source, error) {
      waiting.add(source)
      failures.set(source, error)
    },
    failed(source, error) {
      if (waiting.delete(source) || !failures.has(source))
        logger.warn({ err: error, source }, 'PostgreSQL cannot be used; trying again')
      failures.set(source, error)
    },
    worked(source) {
      waiting.delete(source)
      if (failures.delete(source)) logger.info({ source }, 'PostgreSQL can be used')
    },
    forget: source => void failures.delete(source),
    state() {
      const [first] = failures
      return first ? { ready: false, reason: `PostgreSQL (${first[0]}): ${first[1].message}` } : { ready: true }
    }
  }
}
