import type fc from 'fast-check'
import type { Lane } from './lane.ts'

/** A model with the operations that are tried on it. */
export interface HistoryKind<Operation> {
  name: string
  operations: fc.Arbitrary<Operation[]>
  openLane(url: string, schema: string): Promise<Lane>
  /**
   * Runs one history on a lane that nobody else uses, and notes each step in `trail`.
   *
   * @throws Error when a row, or an answer, is not what the model expects
   */
  run(lane: Lane, operations: readonly Operation[], trail: string[]): Promise<void>
}

/** The tables are not as the model has them, or an invariant does not hold. */
export class Departure extends Error {
  override name = 'Departure'
}
