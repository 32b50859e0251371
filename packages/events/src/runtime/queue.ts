/** Work that runs one after the other, in the order it was asked for. */
export interface SerialQueue {
  /** Runs work when all before it has settled. A rejection that nobody awaits does not end the process. */
  run<T>(work: () => Promise<T>): Promise<T>
  /** Resolves when all that was asked for so far has settled. Never rejects. */
  idle(): Promise<void>
  /** How much has not settled yet. */
  readonly pending: number
}

export function serialQueue(): SerialQueue {
  let tail: Promise<void> = Promise.resolve()
  let pending = 0
  const settled = () => {
    pending--
  }
  return {
    run(work) {
      pending++
      const turn = tail.then(work)
      tail = turn.then(settled, settled)
      return turn
    },
    idle: () => tail,
    get pending() {
      return pending
    }
  }
}
