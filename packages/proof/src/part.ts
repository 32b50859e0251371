/** `ci`: what fits into a minute or two; `full`: everything. */
export type Profile = 'ci' | 'full'

/** What every part of the proof is told. */
export interface PartOptions {
  /** From which everything random follows. */
  seed: number
  profile: Profile
  /** A PostgreSQL server where databases may be made and dropped. */
  postgresUrl: string
  /** Prints a line of progress. */
  log(line: string): void
}

/** What the last line of `--json` says, each part its share. */
export interface Figures {
  histories: number
  crashPoints: number
  events: number
  faults: number
  kills: number
  mutants: number
  mutantsCaught: number
}

/** What a part found. */
export interface PartResult {
  figures: Partial<Figures>
  /** A text each, with the full story. None: nothing broke. */
  violations: string[]
}

/** A part of the proof, which can run alone. */
export interface Part {
  name: string
  run(options: PartOptions): Promise<PartResult>
}
