/** What a service tells the harness. */
export type ServiceMessage =
  | { kind: 'listening' }
  | { kind: 'uncaught'; text: string }
  /** The order to end at a point was taken. */
  | { kind: 'armed' }
  | { kind: 'inspection'; text: string }

/** What the harness tells a service. */
export type HarnessMessage =
  /** Shift the clock by so much. */
  | { kind: 'clock'; shiftMs: number }
  /** End by SIGKILL when the point is reached for the nth time. */
  | { kind: 'crash'; at: string; nth: number }
  /** Say what you are at. */
  | { kind: 'inspect' }
