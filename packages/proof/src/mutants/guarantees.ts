import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './copy-tree.ts'
import type { CatchBy, Mutant } from './mutant.ts'
import { MUTANTS } from './run-mutants.ts'

/** A row of GUARANTEES.md. */
export interface Guarantee {
  name: string
  /** By file, the titles of the tests that it names. */
  tests: ReadonlyMap<string, readonly string[]>
  histories: readonly string[]
  mutants: readonly string[]
}

/** Guarantees that no change of the code can break alone, or whose test a mutant cannot run, each with the reason. */
export const WITHOUT_MUTANT: Readonly<Record<string, string>> = {
  'SIGTERM, handled by closing the server, leaves nothing half done and no connection open':
    'its test runs the demo on a broker; what closes is tested, and broken, where each plugin is',
  'After a crash of any process, of PostgreSQL or of the broker, everything settles without a person, except what is parked, held or refused':
    'it is what the other guarantees come to: whatever breaks it, breaks one of them'
}

/** The code spans of a text. */
export const spansOf = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, span = '']) => span)

/** The cells of the rows of all tables. Titles of tests may contain backticks' contents, but not a bar. */
export const rowsOf = (text: string): string[][] =>
  text
    .split('\n')
    .filter(line => /^\| (?!---)/.test(line))
    .map(line =>
      line
        .slice(1, -1)
        .split('|')
        .map(cell => cell.trim())
    )

/** The rows of a document in the form of GUARANTEES.md. */
export function readGuarantees(text: string = readFileSync(join(root, 'GUARANTEES.md'), 'utf8')): Guarantee[] {
  return rowsOf(text)
    .filter(([name]) => name !== 'guarantee')
    .map(([name = '', , cell = '']) => {
      const spans = spansOf(cell)
      const tests = new Map<string, string[]>()
      for (const span of spans) {
        const [file = '', title] = span.split(' › ')
        if (title !== undefined) tests.set(file, [...(tests.get(file) ?? []), title])
      }
      const named = (kind: string) =>
        spans.filter(span => span.startsWith(`${kind} `)).map(span => span.slice(kind.length + 1))
      return { name, tests, histories: named('history'), mutants: named('mutant') }
    })
}

/** What a guarantee itself names that must turn red with a mutant. None: nothing it names is known to catch it. */
export function catchersOf({ tests, histories }: Guarantee, { catchBy }: Mutant): CatchBy[] {
  return [catchBy].flat().flatMap((by): CatchBy[] => {
    if ('histories' in by) return histories.includes(by.histories) ? [by] : []
    const titles = tests.get(by.test)
    if (titles === undefined) return []
    const source = readFileSync(join(root, by.test), 'utf8')
    // A title that stands elsewhere, in a table, is that of an inner test, which tap cannot choose: all are run.
    const isOuter = (title: string) => [`'`, `"`, '`'].some(quote => source.includes(`t.test(${quote}${title}${quote}`))
    return [titles.every(isOuter) ? { test: by.test, titles } : { test: by.test }]
  })
}

/** For each guarantee, its mutants, each with the tests that the guarantee names as all that may catch it. */
export const mutantsOfGuarantees = (guarantees: readonly Guarantee[] = readGuarantees()): Mutant[] =>
  guarantees.flatMap(guarantee =>
    MUTANTS.filter(({ name }) => guarantee.mutants.includes(name)).flatMap(mutant =>
      catchersOf(guarantee, mutant).map(catchBy => ({ ...mutant, catchBy }))
    )
  )

/** What is wrong with a guarantee: no mutant breaks it in a way that a test it names is known to notice. */
export function problemOf(guarantee: Guarantee): string | undefined {
  const mutants = MUTANTS.filter(({ name }) => guarantee.mutants.includes(name))
  const excepted = Object.hasOwn(WITHOUT_MUTANT, guarantee.name)
  if (mutants.some(mutant => catchersOf(guarantee, mutant).length > 0))
    return excepted ? 'it has a mutant, and needs no reason for having none' : undefined
  return excepted ? undefined : 'it names no mutant that one of the tests it names catches'
}
