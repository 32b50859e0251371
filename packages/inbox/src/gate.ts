/** Lets deliveries through while the world is right; see {@link createGate}. */
export interface Gate {
  /**
   * Resolves when the caller may run: at once, or as the probe, or when the gate opens. `undefined`: nobody runs any
   * more, since the process has left the group or closes.
   */
  enter(): Promise<Pass | undefined>
  isOpen(): boolean
  /** Whether {@link Gate.enter} would resolve at once: for deliveries that need not run now. */
  mayEnter(): boolean
  reason(): string | undefined
  /** The process leaves the group: sends away who waits, and who comes, until {@link Gate.open}. */
  leave(): void
  open(): void
  /** Sends away who waits, and who comes, for good. */
  end(): void
}

/** The right to run once. Exactly one of its functions is called when the run is over. */
export interface Pass {
  /** The world is right: something got as far as its handler, or something was stored. */
  good(): void
  /** The world is wrong. */
  bad(error: unknown): void
  /** It says nothing about the world. */
  neutral(): void
}

interface Closed {
  error: unknown
  pauseMs: number
  probe: 'waiting' | 'free' | 'out'
}

/**
 * Pauses a group when the world, not an event, is wrong: the database, or what stands before the handlers. One delivery
 * at a time goes through as a probe, after `pauseMs` that double up to `pauseMaxMs`; the first that meets a world which
 * is right opens the gate, also if its own handler fails.
 */
export function createGate(options: {
  pauseMs: number
  pauseMaxMs: number
  onClose(error: unknown): void
  onOpen(): void
  /** Deliveries are wanted: nobody waits to be the probe, or one failed and others may be luckier. */
  onStarve(): void
}): Gate {
  const waiting: ((pass: Pass | undefined) => void)[] = []
  let closed: Closed | undefined
  let timer: NodeJS.Timeout | undefined
  let presence: 'here' | 'left' | 'ended' = 'here'

  function close(error: unknown): void {
    if (closed !== undefined || presence !== 'here') return
    closed = { error, pauseMs: options.pauseMs, probe: 'waiting' }
    timer = setTimeout(probe, closed.pauseMs)
    options.onClose(error)
  }

  function probe(): void {
    if (closed === undefined) return
    const first = waiting.shift()
    closed.probe = first === undefined ? 'free' : 'out'
    if (first === undefined) options.onStarve()
    else first(pass(closed))
  }

  function open(): void {
    if (closed === undefined || presence === 'ended') return
    closed = undefined
    presence = 'here'
    clearTimeout(timer)
    options.onOpen()
    for (const enter of waiting.splice(0)) enter(pass())
  }

  /** After a probe. One of an earlier pause says nothing about this one. */
  function again(of: Closed, longer: boolean): void {
    if (closed !== of || presence !== 'here') return
    if (longer) {
      of.pauseMs = Math.min(of.pauseMs * 2, options.pauseMaxMs)
      options.onStarve()
    }
    of.probe = 'waiting'
    clearTimeout(timer)
    timer = setTimeout(probe, of.pauseMs)
  }

  const pass = (probed?: Closed): Pass => ({
    good() {
      if (presence === 'here') open()
    },
    bad(error) {
      close(error)
      if (probed) again(probed, true)
    },
    neutral() {
      if (probed) again(probed, false)
    }
  })

  function sendAway(to: 'left' | 'ended'): void {
    presence = to
    clearTimeout(timer)
    for (const enter of waiting.splice(0)) enter(undefined)
  }

  return {
    async enter() {
      if (presence !== 'here') return undefined
      if (closed === undefined) return pass()
      if (closed.probe === 'free') {
        closed.probe = 'out'
        return pass(closed)
      }
      return await new Promise(resolve => waiting.push(resolve))
    },
    isOpen: () => closed === undefined && presence === 'here',
    mayEnter: () => presence === 'here' && (closed === undefined || closed.probe === 'free'),
    reason() {
      if (closed === undefined) return undefined
      const { error } = closed
      return String((error as Error | undefined)?.message ?? error)
    },
    leave() {
      if (presence === 'here') sendAway('left')
    },
    open,
    end: () => sendAway('ended')
  }
}
