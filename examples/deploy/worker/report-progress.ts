import type { FastifyInstance } from 'fastify'
import { takeProgress } from '../deployments/take-progress.ts'

const BATCH = 100

/** Tells the askers of long work that it goes on, so that they do not ask again. */
export async function reportProgress(app: FastifyInstance, everyMs: number): Promise<boolean> {
  const ids = await takeProgress(app.pg, everyMs, BATCH)
  await Promise.all(ids.map(id => app.inbox.progress(id)))
  return ids.length === BATCH
}
