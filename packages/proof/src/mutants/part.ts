import type { Part, Profile } from '../part.ts'
import type { Mutant } from './mutant.ts'
import { chooseMutants, MUTANTS, type MutantResult, runMutants } from './run-mutants.ts'

const CI_COUNT = 3
const TOLD_LINES = 40

/** What a mutant that was not caught says. */
export function describeEscape({ mutant, verdict, output }: MutantResult): string {
  const what = {
    survived: 'a hole in the tests',
    stale: 'the text it changes is not there',
    broken: 'its test is red anyway',
    caught: ''
  }
  return `mutant ${mutant.name} ${verdict} (${what[verdict]}); invariant ${mutant.invariant.join(': ')}\n  ${ending(output).replaceAll('\n', '\n  ')}`
}

const ending = (output: string) => output.trim().split('\n').slice(-TOLD_LINES).join('\n')

/** Deliberate defects, each of which must be noticed. One alone tells what noticed it. */
export const mutantsOf = (
  choose: (seed: number, profile: Profile) => readonly Mutant[],
  { baseline }: { baseline?: boolean } = {}
): Part => ({
  name: 'mutants',
  async run({ seed, profile, postgresUrl, log }) {
    const chosen = choose(seed, profile)
    // What a change must pass runs the tests, and histories of this seed, before: they are known to be green.
    const results = await runMutants(chosen, { seed, postgresUrl, log, baseline: baseline ?? profile === 'full' })
    const escaped = results.filter(({ verdict }) => verdict !== 'caught')
    const [only] = results
    if (results.length === 1 && only?.verdict === 'caught') log(ending(only.output))
    return {
      figures: { mutants: results.length, mutantsCaught: results.length - escaped.length },
      violations: escaped.map(describeEscape)
    }
  }
})

export const mutants = mutantsOf((seed, profile) => (profile === 'full' ? MUTANTS : chooseMutants(CI_COUNT, seed)))
