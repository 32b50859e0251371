import type { Part } from '../part.ts'
import { chooseMutants, MUTANTS, type MutantResult, runMutants } from './run-mutants.ts'

const CI_COUNT = 3

/** What a mutant that was not caught says. */
export function describeEscape({ mutant, verdict, output }: MutantResult): string {
  const what = {
    survived: 'a hole in the tests',
    stale: 'the text it changes is not there',
    broken: 'its test is red anyway',
    caught: ''
  }
  return `mutant ${mutant.name} ${verdict} (${what[verdict]}); invariant ${mutant.invariant.join(': ')}\n  ${output.trim().split('\n').slice(-40).join('\n  ')}`
}

/** Deliberate defects, each of which must be noticed. */
export const mutants: Part = {
  name: 'mutants',
  async run({ seed, profile, postgresUrl, log }) {
    const chosen = profile === 'full' ? MUTANTS : chooseMutants(CI_COUNT, seed)
    // What a change must pass runs the tests, and histories of this seed, before: they are known to be green.
    const results = await runMutants(chosen, { seed, postgresUrl, log, baseline: profile === 'full' })
    const escaped = results.filter(({ verdict }) => verdict !== 'caught')
    return {
      figures: { mutants: results.length, mutantsCaught: results.length - escaped.length },
      violations: escaped.map(describeEscape)
    }
  }
}
