import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Faults {
  delayMs: number
  blackhole: 'none' | 'to-server' | 'to-client' | 'both'
}

export interface Direction {
  name: 'to-server' | 'to-client'
  from: Socket
  to: Socket
  /** Called when bytes (0: the end) of this direction were swallowed: the stream cannot be made whole again. */
  onSwallowed(bytes: number): void
}

/** Bytes that wait for their delay, above which the sender is no longer read. */
const MAX_WAITING_BYTES = 1 << 20

/** Copies one direction of a connection, in order, as the faults of the moment say. */
export function forwardBytes(direction: Direction, faults: Faults): void {
  const { from, to } = direction
  let turn = Promise.resolve()
  let dueAt = 0
  let waitingBytes = 0
  const isSwallowed = (bytes: number) => {
    const swallowed = faults.blackhole === 'both' || faults.blackhole === direction.name
    if (swallowed) direction.onSwallowed(bytes)
    return swallowed
  }
  const whenDue = (work: () => unknown) => {
    dueAt = Math.max(dueAt, performance.now() + faults.delayMs)
    const due = dueAt
    turn = turn.then(async () => {
      const wait = due - performance.now()
      if (wait > 0) await sleep(wait, undefined, { ref: false })
      if (!to.destroyed && to.writable) await work()
    })
    turn.catch(() => to.destroy())
  }
  from.on('data', (chunk: Buffer) => {
    if (isSwallowed(chunk.length)) return
    waitingBytes += chunk.length
    if (waitingBytes > MAX_WAITING_BYTES) from.pause()
    whenDue(async () => {
      if (!to.write(chunk)) await Promise.race([once(to, 'drain'), once(to, 'close')])
      waitingBytes -= chunk.length
      if (waitingBytes <= MAX_WAITING_BYTES) from.resume()
    })
  })
  from.on('end', () => {
    if (!isSwallowed(0)) whenDue(() => to.end())
  })
}
