import { pause } from '@steadfast/events/runtime'
import { probeInbox } from '@steadfast/store/internal'
import type { Consumer, Membership } from './types.ts'

export function createMembership(of: () => Consumer, join: () => Promise<void>): Membership {
  let timer: NodeJS.Timeout | undefined
  let state: 'member' | 'leaving' | 'left' = 'member'
  let changing: Promise<void> = Promise.resolve()

  async function isDatabaseAway(): Promise<boolean> {
    return await probeInbox(of().db).then(
      () => false,
      () => true
    )
  }

  /** Left only for want of a database, and while the broker would hand the partitions to others. */
  async function leaveUnlessWell(): Promise<void> {
    const consumer = of()
    const { breaker, closing, host, log, subscription } = consumer
    if (breaker.isClosed() || closing.aborted || subscription === undefined) return
    if (!host.transport.health().ready || !(await isDatabaseAway())) return watch()
    if (breaker.isClosed() || closing.aborted) return
    state = 'leaving'
    log.error(
      { reason: breaker.reason() },
      'the database is away: leaves the group, so that others take its partitions'
    )
    breaker.leave()
    consumer.subscription = undefined
    await subscription.close(0)
    state = 'left'
    await joinAgain()
  }

  async function joinAgain(): Promise<void> {
    const consumer = of()
    const { breaker, closing, log, options } = consumer
    for (let pauseMs = options.pauseMs; !closing.aborted; pauseMs = Math.min(pauseMs * 2, options.pauseMaxMs)) {
      await pause(pauseMs, consumer.closing)
      if (closing.aborted || (await isDatabaseAway())) continue
      log.info('the database answers: joins the group again')
      breaker.reset()
      await join()
      state = 'member'
      return
    }
  }

  function watch(): void {
    clearTimeout(timer)
    if (state !== 'member') return
    timer = setTimeout(() => {
      changing = leaveUnlessWell().catch(err => {
        of().log.error({ err }, 'leaving or joining the group failed')
        if (state !== 'member') changing = joinAgain().catch(() => {})
      })
    }, of().options.leaveAfterMs)
  }

  return {
    watch,
    calm: () => clearTimeout(timer),
    hasLeft: () => state !== 'member',
    async settled() {
      clearTimeout(timer)
      await changing
    }
  }
}
