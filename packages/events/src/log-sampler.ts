/** Of each source so many lines in a minute; see {@link createLogSampler}. */
const LINES = 10
const MINUTE_MS = 60_000
const SOURCES_MAX = 1000

/**
 * Bounds what others can make a log say: of each source the first lines of a minute are written. The first of its next
 * minute says how many were left out. When there are very many sources, those beyond share one account.
 *
 * @returns whether the line is written, and how many of its source were left out before it
 */
export function createLogSampler(now: () => number = () => performance.now()) {
  const accounts = new Map<string, { from: number; lines: number }>()
  return (source: string): { write: boolean; omitted: number } => {
    const name = accounts.has(source) || accounts.size < SOURCES_MAX ? source : ''
    const time = now()
    const account = accounts.get(name)
    if (account === undefined || time - account.from >= MINUTE_MS) {
      accounts.set(name, { from: time, lines: 1 })
      return { write: true, omitted: Math.max(0, (account?.lines ?? 0) - LINES) }
    }
    account.lines++
    return { write: account.lines <= LINES, omitted: 0 }
  }
}

/** Says of a source's next line whether it is written; made by {@link createLogSampler}. */
export type LogSampler = ReturnType<typeof createLogSampler>
