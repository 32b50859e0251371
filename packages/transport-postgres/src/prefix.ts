/** What was handed out of one partition and is not yet done, and how far everything is done. */
export interface Prefix {
  /** Notes that an offset was handed out; offsets grow. The returned function marks it done. */
  handOut(offset: number): () => void
  /** The end of the contiguous prefix of done offsets: what the group's offset may be. */
  readonly end: number
  /** How many are handed out and not done. */
  readonly out: number
  /** How many were handed out behind the end: what is not done, and what is done behind it. */
  readonly ahead: number
}

/** @param start the group's offset */
export function createPrefix(start: number): Prefix {
  let queue: { offset: number; done: boolean }[] = []
  let head = 0
  let end = start
  let out = 0

  function advance(): void {
    for (let entry = queue[head]; entry?.done; entry = queue[head]) {
      end = entry.offset + 1
      head++
    }
    if (head === queue.length || head > 1000) {
      queue = queue.slice(head)
      head = 0
    }
  }

  return {
    handOut(offset) {
      const entry = { offset, done: false }
      queue.push(entry)
      out++
      return () => {
        if (entry.done) return
        entry.done = true
        out--
        advance()
      }
    },
    get end() {
      return end
    },
    get out() {
      return out
    },
    get ahead() {
      return queue.length - head
    }
  }
}
