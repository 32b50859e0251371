import { DeploymentFailed, DeploymentSucceeded } from '@steadfast-examples/contracts'
import type { FastifyInstance } from 'fastify'
import type { ClaimedDeployment } from '../deployments/claim-due.ts'
import { finishDeployment } from '../deployments/finish-deployment.ts'
import { type NextStep, saveStep } from '../deployments/save-step.ts'
import { accessOf } from '../provision/access-of.ts'
import { removeDatabase } from '../provision/remove-database.ts'
import { findPlan, STEPS } from '../provision/steps.ts'
import type { Target } from '../provision/target.ts'
import { isOutage } from './is-outage.ts'

/** Failed attempts of one step after which the deployment fails. Outages do not count. */
const MAX_ATTEMPTS = 10
const RETRY_MS = 500

export interface AdvanceContext {
  app: FastifyInstance
  target: Target
  /** This worker's name on leases. */
  worker: string
}

type Outcome = { next: NextStep } | { ready: true } | { reason: string }

async function takeStep(target: Target, deployment: ClaimedDeployment): Promise<Outcome> {
  const plan = findPlan(deployment.product, deployment.plan)
  if ('reason' in plan) return plan
  const index = STEPS.findIndex(([name]) => name === deployment.step)
  const step = STEPS[index]
  if (step === undefined) return { reason: `there is no step ${deployment.step}` }
  const result = await step[1](target, { id: deployment.id, plan })
  if (result === 'wait')
    return { next: { step: step[0], afterMs: RETRY_MS, attempts: deployment.attempts, error: null } }
  if (result !== 'done') return result
  const following = STEPS[index + 1]
  return following === undefined
    ? { ready: true }
    : { next: { step: following[0], afterMs: 0, attempts: 0, error: null } }
}

function afterError(error: unknown, deployment: ClaimedDeployment): Outcome {
  const { code, message } = error as Error & { code?: string }
  const attempts = deployment.attempts + (isOutage(error) ? 0 : 1)
  if (attempts >= MAX_ATTEMPTS) return { reason: `step "${deployment.step}" failed ${attempts} times: ${code}` }
  return { next: { step: deployment.step, afterMs: RETRY_MS * (attempts + 1), attempts, error: message } }
}

/** Takes the one step that is due, and stores where it led: on, to another try, or to an end with its event. */
export async function advanceDeployment(context: AdvanceContext, deployment: ClaimedDeployment): Promise<void> {
  const { app, target, worker } = context
  const { id, orderId } = deployment
  const outcome = await takeStep(target, deployment).catch(error => {
    app.log.warn({ err: error, deployment: id, step: deployment.step }, 'a step failed')
    return afterError(error, deployment)
  })
  if ('next' in outcome) return saveStep(app.pg, id, worker, outcome.next)
  if ('reason' in outcome) {
    if (deployment.step !== 'check') await removeDatabase(target, id)
    return app.outbox.transaction(async tx => {
      if (!(await finishDeployment(tx, id, worker, outcome))) return
      await tx.sendEvent(DeploymentFailed, { orderId, deploymentId: id, reason: outcome.reason }, { inReplyTo: id })
    })
  }
  const access = accessOf(target, id)
  await app.outbox.transaction(async tx => {
    if (!(await finishDeployment(tx, id, worker, { access }))) return
    await tx.sendEvent(DeploymentSucceeded, { orderId, deploymentId: id, access }, { inReplyTo: id })
  })
}
