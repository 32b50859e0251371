import { type BulkStepMessage, bulkStepChannel } from './channels.ts'

/** What a bulk action did. Call it again with `after: next` to go on; `next` is `null` when the filter is exhausted. */
export interface BulkResult {
  done: number
  /** Left alone, because their state had changed or never fitted. */
  skipped: number
  next: string | null
}

const BATCH = 100

/**
 * Walks a list in bounded batches and acts on each entry by itself: every deed is a statement of its own with its own
 * audit row, so that one which fails, or a crash, leaves the rest done and audited. Ends early when nobody waits for
 * the answer any more.
 */
export async function runBulk<Row>(options: {
  action: BulkStepMessage['action']
  limit: number
  after: string | undefined
  list: (page: { after: string | undefined; limit: number }) => Promise<Row[]>
  idOf: (row: Row) => string
  act: (id: string) => Promise<boolean>
  abandoned: () => boolean
}): Promise<BulkResult> {
  const { action, limit, list, idOf, act, abandoned } = options
  let { after } = options
  const result = { done: 0, skipped: 0 }
  for (let left = limit; left > 0; left -= BATCH) {
    const size = Math.min(BATCH, left)
    const rows = await list({ after, limit: size })
    for (const row of rows) {
      if (abandoned()) return { ...result, next: after ?? null }
      const id = idOf(row)
      const done = await act(id)
      result[done ? 'done' : 'skipped']++
      after = id
      if (bulkStepChannel.hasSubscribers) bulkStepChannel.publish({ action, id, done })
    }
    if (rows.length < size) return { ...result, next: null }
  }
  return { ...result, next: after ?? null }
}
