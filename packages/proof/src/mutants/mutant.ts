/** One place of a file to be changed. `find` must stand there exactly once. */
export interface Edit {
  file: string
  find: string
  replace: string
}

/** What turns red when the defect is there. */
export type CatchBy = { histories: 'event' | 'inbox'; count: number } | { test: string }

/** A deliberate defect. */
export interface Mutant {
  name: string
  /** The invariant that must catch it: its number in the checker's list, and in words. */
  invariant: [number, string]
  edits: readonly Edit[]
  catchBy: CatchBy
}
