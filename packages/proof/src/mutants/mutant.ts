/** One place of a file to be changed. `find` must stand there exactly once. */
export interface Edit {
  file: string
  find: string
  replace: string
}

/** What turns red when the defect is there. `titles`: of the tests in the file that alone are run; all without it. */
export type CatchBy = { histories: 'event' | 'inbox'; count: number } | { test: string; titles?: readonly string[] }

/** A deliberate defect. */
export interface Mutant {
  name: string
  /** The invariant that must catch it: its number in the checker's list, and in words. */
  invariant: [number, string]
  edits: readonly Edit[]
  /** Of several, each must turn red; the first one is what a run of the mutants asks. */
  catchBy: CatchBy | readonly [CatchBy, ...CatchBy[]]
}
