/**
 * Pauses a group when the world, not an event, is wrong: the database, or what stands before the handlers.
 *
 *     closed ──a run met a wrong world──► open ──pauseMs──► half-open ──its run met a right one──► closed
 *                                          ▲                    │
 *                                          └──── wrong again ───┘  pauseMs doubles, up to pauseMaxMs
 *
 * Closed, everybody gets through; open, nobody; half-open, one delivery as a probe: the first that waits, or that comes.
 * From each of them the process may leave the group (`left`, until it joins again) or end (`ended`, for good): nobody gets
 * through, and nobody waits.
 */
export interface Breaker {
  /**
   * Resolves when the caller may run: at once, as the probe, or when the breaker closes. `undefined`: nobody runs any
   * more, since the process has left the group or ends.
   */
  enter(): Promise<Pass | undefined>
  isClosed(): boolean
  /** Whether {@link Breaker.enter} would resolve at once: for deliveries that need not run now. */
  mayEnter(): boolean
  /** What was wrong when it opened; `undefined` while it is closed. */
  reason(): string | undefined
  /** The process leaves the group: sends away who waits, and who comes, until {@link Breaker.reset}. */
  leave(): void
  /** Closes it, whatever it was. */
  reset(): void
  /** Sends away who waits, and who comes, for good. */
  end(): void
}

/** The right to run once. Exactly one of its functions is called when the run is over. */
export interface Pass {
  /** The world is right: something got as far as its handler, or something was stored. */
  good(): void
  /** The world is wrong. */
  bad(error: unknown): void
  /** Inconclusive: neither opens nor closes the breaker. */
  neutral(): void
}

interface Trouble {
  error: unknown
  pauseMs: number
  /** `waiting`: until its timer rings; `free`: whoever comes is the probe; `out`: it runs. */
  probe: 'waiting' | 'free' | 'out'
}

export function createBreaker(options: {
  pauseMs: number
  pauseMaxMs: number
  onOpen(error: unknown): void
  onClose(): void
  /** Deliveries are wanted: nobody waits to be the probe, or one failed and others may be luckier. */
  onStarve(): void
}): Breaker {
  const waiting: ((pass: Pass | undefined) => void)[] = []
  /** There is some unless it is closed. */
  let trouble: Trouble | undefined
  let timer: NodeJS.Timeout | undefined
  let presence: 'here' | 'left' | 'ended' = 'here'

  function open(error: unknown): void {
    if (trouble !== undefined || presence !== 'here') return
    trouble = { error, pauseMs: options.pauseMs, probe: 'waiting' }
    timer = setTimeout(probe, trouble.pauseMs)
    options.onOpen(error)
  }

  function probe(): void {
    if (trouble === undefined) return
    const first = waiting.shift()
    trouble.probe = first === undefined ? 'free' : 'out'
    if (first === undefined) options.onStarve()
    else first(pass(trouble))
  }

  function reset(): void {
    if (trouble === undefined || presence === 'ended') return
    trouble = undefined
    presence = 'here'
    clearTimeout(timer)
    options.onClose()
    for (const enter of waiting.splice(0)) enter(pass())
  }

  /** After a probe. One of an earlier pause says nothing about this one. */
  function again(of: Trouble, longer: boolean): void {
    if (trouble !== of || presence !== 'here') return
    if (longer) {
      of.pauseMs = Math.min(of.pauseMs * 2, options.pauseMaxMs)
      options.onStarve()
    }
    of.probe = 'waiting'
    clearTimeout(timer)
    timer = setTimeout(probe, of.pauseMs)
  }

  const pass = (probed?: Trouble): Pass => ({
    good() {
      if (presence === 'here') reset()
    },
    bad(error) {
      open(error)
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
      if (trouble === undefined) return pass()
      if (trouble.probe === 'free') {
        trouble.probe = 'out'
        return pass(trouble)
      }
      return await new Promise(resolve => waiting.push(resolve))
    },
    isClosed: () => trouble === undefined && presence === 'here',
    mayEnter: () => presence === 'here' && (trouble === undefined || trouble.probe === 'free'),
    reason() {
      if (trouble === undefined) return undefined
      const { error } = trouble
      return String((error as Error | undefined)?.message ?? error)
    },
    leave() {
      if (presence === 'here') sendAway('left')
    },
    reset,
    end: () => sendAway('ended')
  }
}
