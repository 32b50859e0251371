/** What is kept in order within a group: the deliveries of one key of one topic. */
export interface OrderUnit {
  topic: string
  key: string
}

/** Runs tasks of one topic and key one after another, of different ones side by side. */
export interface KeyChains {
  run<T>(unit: OrderUnit, task: () => Promise<T>): Promise<T>
  size(): number
}

// Names of topics have no line feed in them.
const nameOf = ({ topic, key }: OrderUnit) => `${topic}\n${key}`

export function createKeyChains(): KeyChains {
  const tails = new Map<string, Promise<unknown>>()
  return {
    run(unit, task) {
      const key = nameOf(unit)
      const before = tails.get(key)
      const result = before === undefined ? task() : before.then(task, task)
      tails.set(key, result)
      const forget = () => {
        if (tails.get(key) === result) tails.delete(key)
      }
      result.then(forget, forget)
      return result
    },
    size: () => tails.size
  }
}

/** Lets at most `limit` tasks run at a time. */
export function createLimit(limit: number): <T>(task: () => Promise<T>) => Promise<T> {
  let running = 0
  const waiting: (() => void)[] = []
  return async task => {
    if (running >= limit) await new Promise<void>(resolve => waiting.push(resolve))
    else running++
    try {
      return await task()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}
