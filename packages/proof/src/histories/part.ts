import type { Part } from '../part.ts'
import { eventHistory } from './event/event-history.ts'
import type { HistoryKind } from './history-kind.ts'
import { inboxHistory } from './inbox/inbox-history.ts'
import {
  type HistoriesFigures,
  type HistoriesOptions,
  type HistoryFailure,
  rerunCommand,
  runHistories
} from './run-histories.ts'

const COUNT = { ci: 500, full: 10_000 }

export const HISTORY_KINDS = ['event', 'inbox'] as const
export type HistoryName = (typeof HISTORY_KINDS)[number]

/** Runs histories of one kind. */
export function runKind(name: HistoryName, options: HistoriesOptions): Promise<HistoriesFigures> {
  return name === 'event'
    ? runHistories(eventHistory, options)
    : runHistories(inboxHistory as HistoryKind<unknown>, options)
}

/** A failed history as a person reads it: what broke, what led to it, how to see it again. */
export function describeFailure(failure: HistoryFailure): string {
  const steps = failure.trail.map(line => `    ${line}`).join('\n')
  return `a history of the ${failure.kind} model departs from it:\n  ${failure.message.replaceAll('\n', '\n  ')}\n  after\n${steps}\n  again: ${rerunCommand(failure)}`
}

/** Random histories of these models; by default as many as the profile says. */
export const historiesOf = (
  names: readonly HistoryName[],
  how: Partial<Omit<HistoriesOptions, 'url' | 'seed'>> = {}
): Part => ({
  name: 'histories',
  async run({ seed, profile, postgresUrl, log }) {
    const figures = { histories: 0 }
    const violations: string[] = []
    for (const name of names) {
      const run = await runKind(name, { count: COUNT[profile], ...how, url: postgresUrl, seed })
      log(
        `${run.histories} histories of the ${name} model, ${run.steps} steps, ${(run.durationMs / 1000).toFixed(1)} s`
      )
      figures.histories += run.histories
      violations.push(...run.failures.map(describeFailure))
    }
    return { figures, violations }
  }
})

export const histories = historiesOf(HISTORY_KINDS)
