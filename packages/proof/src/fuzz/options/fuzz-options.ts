import { inspect } from 'node:util'
import { migrate } from '@steadfast/store'
import fc from 'fast-check'
import { withDatabase } from '../../with-database.ts'
import { startWatch, type Watch } from '../watch.ts'
import { type Mutated, mutatedOptions } from './mutated-options.ts'
import { type Ground, TARGETS, type Target } from './targets.ts'
import { tryRegistration } from './try-registration.ts'
import type { Member } from './values.ts'

export interface FuzzOptionsOptions {
  /** From which all options follow. */
  seed: number
  /** Registrations of each plugin. */
  count: number
  /** A server where databases may be made and dropped. */
  postgresUrl: string
  log(line: string): void
  /** These plugins alone. */
  only?: readonly string[]
}

class Broken extends Error {}

/**
 * Registers every plugin with options that nobody should give. Each must be taken, and work, or be refused with a code
 * and the option's name; nothing may be thrown past the server, which can be closed in any case.
 */
export async function fuzzOptions(options: FuzzOptionsOptions): Promise<string[]> {
  const { postgresUrl, only } = options
  const watch = startWatch()
  const { exit } = process
  const exits: string[] = []
  process.exit = (code => void exits.push(`the process was ended with ${code}`)) as typeof exit
  try {
    return await withDatabase(postgresUrl, async (url, pool) => {
      // All registrations share it, and some leave a listener for as long as it lives.
      pool.setMaxListeners(0)
      await migrate(pool)
      const violations: string[] = []
      for (const target of TARGETS) {
        if (only && !only.includes(target.name)) continue
        violations.push(...(await fuzzTarget(target, { url, pool }, options, watch)))
        pool.removeAllListeners('error').on('error', () => {})
      }
      return [...violations, ...exits]
    })
  } finally {
    process.exit = exit
    watch.end()
  }
}

async function fuzzTarget(
  target: Target,
  ground: Ground,
  { seed, count, log }: FuzzOptionsOptions,
  watch: Watch
): Promise<string[]> {
  const begun = performance.now()
  const tally = { taken: 0, refused: 0 }
  const members = target.schema.properties as Record<string, Member>
  const mutated = mutatedOptions({ members, kinds: target.kinds ?? {}, suitable: target.suitable(ground) })
  const property = fc.asyncProperty(mutated, async each => {
    const { refused, wrong } = await tryRegistration(target, each, ground, watch)
    tally[refused ? 'refused' : 'taken']++
    if (wrong !== undefined) throw new Broken(wrong)
  })
  const result = await fc.check(property, { seed, numRuns: count })
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  log(`options of ${target.name}: ${tally.taken} taken, ${tally.refused} refused, ${seconds} s`)
  if (!result.failed) return []
  const { errorInstance: error, counterexample, counterexamplePath } = result
  const story = error instanceof Broken ? error.message : ((error as Error | null)?.stack ?? String(error))
  const given = counterexample ? describeOptions(counterexample[0]) : ''
  return [`options of ${target.name}: ${story}\n  given: ${given}\n  again: seed ${seed}, path ${counterexamplePath}`]
}

function describeOptions({ changes, form }: Mutated): string {
  const show = (value: unknown) =>
    inspect(value, { depth: 2, maxStringLength: 100, breakLength: Number.POSITIVE_INFINITY, getters: false })
  const shown = changes.map(
    ({ name, value, throws }) =>
      `${JSON.stringify(name.slice(0, 100))}: ${throws ? 'a getter that throws' : show(value)}`
  )
  return `${form} {${shown.join(', ')}}`
}
