import { appendFileSync } from 'node:fs'
import type { JournalEntry } from '../check/evidence.ts'

type WithoutTime<E> = E extends unknown ? Omit<E, 'at'> : never

/** What the harness did and saw, in order; a copy goes to a file at once. */
export interface Journal {
  readonly entries: readonly JournalEntry[]
  write(entry: WithoutTime<JournalEntry>): void
}

export function openJournal(file: string): Journal {
  const entries: JournalEntry[] = []
  return {
    entries,
    write(entry) {
      const dated = { at: Date.now(), ...entry } as JournalEntry
      entries.push(dated)
      appendFileSync(file, `${JSON.stringify(dated)}\n`)
    }
  }
}
