/**
 * Settles as the work does, or rejects with `late()` when it takes longer than `ms`. The work goes on all the same:
 * `tooLate` is given what it comes to then.
 */
export function within<T>(work: Promise<T>, ms: number, late: () => Error, tooLate?: (value: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    let isOver = false
    const timer = setTimeout(() => {
      isOver = true
      reject(late())
    }, ms)
    work.then(
      value => {
        clearTimeout(timer)
        if (isOver) tooLate?.(value)
        else resolve(value)
      },
      error => {
        clearTimeout(timer)
        reject(error)
      }
    )
  })
}

/** Resolves when the work settles, at the latest after `ms`: true when it did in time. Never rejects. */
export function settlesWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms, false)
    const settled = () => {
      clearTimeout(timer)
      resolve(true)
    }
    work.then(settled, settled)
  })
}
