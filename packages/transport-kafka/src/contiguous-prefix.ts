/** A delivery's place in its partition. */
export interface Place {
  /** The offset to commit once this and everything before it are done. */
  next: bigint
  done: boolean
}

/** Turns acknowledgements in any order into one offset: the end of the contiguous prefix of what is done. */
export interface ContiguousPrefix {
  /** How many were appended and are not yet part of the prefix: what is not done, and what is done behind it. */
  readonly ahead: number
  /** Appends the delivery whose successor has the offset `next`. */
  add(next: bigint): Place
  /** Marks as done. Returns whether the prefix grew. */
  done(place: Place): boolean
  /** The offset to commit, if it grew since the last {@link committed}. */
  uncommitted(): bigint | undefined
  committed(offset: bigint): void
}

/** Places are appended in the order of the partition. */
export function createContiguousPrefix(): ContiguousPrefix {
  let places: Place[] = []
  let head = 0
  let end: bigint | undefined
  let kept: bigint | undefined

  return {
    get ahead() {
      return places.length - head
    },
    add(next) {
      const place = { next, done: false }
      places.push(place)
      return place
    },
    done(place) {
      place.done = true
      if (places[head] !== place) return false
      while (places[head]?.done) end = (places[head++] as Place).next
      if (head > 1024 && head * 2 > places.length) {
        places = places.slice(head)
        head = 0
      }
      return true
    },
    uncommitted: () => (end === kept ? undefined : end),
    committed(offset) {
      kept = offset
    }
  }
}
