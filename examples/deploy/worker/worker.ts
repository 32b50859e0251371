import { randomUUID } from 'node:crypto'
import fp from 'fastify-plugin'
import { claimDue } from '../deployments/claim-due.ts'
import { openDatabases } from '../provision/open-databases.ts'
import { connectTarget } from '../provision/target.ts'
import { advanceDeployment } from './advance-deployment.ts'
import { reportProgress } from './report-progress.ts'
import { runLoop } from './run-loop.ts'
import { wakeSleepers } from './wake-sleepers.ts'

export interface WorkerOptions {
  target: { url: string; secret: string; prefix: string }
  /** How long nobody else takes a deployment that this worker claimed, in ms. */
  leaseMs: number
  /** Pause of an idle loop, in ms. */
  pollIntervalMs: number
  /** How often the askers of long work hear that it goes on, in ms. */
  progressEveryMs: number
}

const CONCURRENCY = 4

/** Does what was accepted. Its whole state is in the database, so it may be killed at any time and run any number of times. */
export const worker = fp<WorkerOptions>(
  async (app, { target: targetOptions, leaseMs, pollIntervalMs, progressEveryMs }) => {
    const target = connectTarget(targetOptions)
    app.addHook('onClose', () => target.close())
    const context = { app, target, worker: randomUUID() }

    const provision = async () => {
      const claimed = await claimDue(app.pg, { worker: context.worker, leaseMs, limit: CONCURRENCY })
      await Promise.all(claimed.map(deployment => advanceDeployment(context, deployment)))
      return claimed.length > 0
    }
    const onError = (error: unknown) => app.log.warn(error, 'a round of the worker failed')
    const warnOfOpenDatabases = async () => {
      const databases = await openDatabases(target)
      if (databases.length > 0)
        app.log.warn({ databases }, 'customers can connect to these: revoke connect on each from public')
    }
    let loops: { stop(): Promise<void> }[] = []
    app.addHook('onReady', async () => {
      // Not waited for: a target server that is away is no reason not to begin.
      warnOfOpenDatabases().catch(onError)
      loops = [
        runLoop(provision, { idleMs: pollIntervalMs, onError }),
        runLoop(() => wakeSleepers(app), { idleMs: pollIntervalMs, onError }),
        runLoop(() => reportProgress(app, progressEveryMs), { idleMs: pollIntervalMs, onError })
      ]
    })
    app.addHook('preClose', async () => {
      await Promise.all(loops.map(loop => loop.stop()))
    })
  },
  {
    fastify: '5.x',
    name: 'deploy-worker',
    dependencies: ['@fastify/postgres', '@steadfast/outbox', '@steadfast/inbox']
  }
)
