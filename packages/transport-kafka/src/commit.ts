import type { Assignment, Commit } from './assignment.ts'
import type { Logger } from './options.ts'
import { asError } from './within.ts'

/** Commits the offsets of what is done. */
export interface Committer {
  /** Commits soon. */
  schedule(): void
  /** Commits after the commit that is under way, if any. Never rejects. */
  commit(): Promise<void>
  /** Commits without waiting; the request is on its way when this returns. Never rejects. */
  commitNow(): Promise<void>
  /** Runs when no commit is under way, and keeps the next one waiting. */
  alone(work: () => Promise<void>): Promise<void>
  stop(): void
}

const INTERVAL_MS = 200

/** At most one commit in {@link INTERVAL_MS}, besides those asked for. */
export function createCommitter(
  current: () => Assignment | undefined,
  send: (commits: readonly Commit[]) => Promise<void>,
  logger: Logger
): Committer {
  let timer: NodeJS.Timeout | undefined
  let last: Promise<void> = Promise.resolve()
  let stopped = false

  async function commitNow(): Promise<void> {
    const assignment = current()
    const commits = assignment?.uncommitted() ?? []
    if (assignment === undefined || commits.length === 0) return
    try {
      await send(commits)
      assignment.committed(commits)
    } catch (thrown) {
      logger.debug({ err: asError(thrown) }, 'offsets not committed')
    }
    if (assignment.uncommitted().length > 0) schedule()
  }

  function schedule(): void {
    if (timer || stopped) return
    timer = setTimeout(() => {
      timer = undefined
      void commit()
    }, INTERVAL_MS)
  }

  function commit(): Promise<void> {
    last = last.then(commitNow)
    return last
  }

  return {
    schedule,
    commit,
    commitNow,
    alone(work) {
      const done = last.then(work)
      last = done.catch(() => undefined)
      return done
    },
    stop() {
      stopped = true
      clearTimeout(timer)
    }
  }
}
