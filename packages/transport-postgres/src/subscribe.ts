import { checkRewind, type Delivery, type SubscribeOptions, type Subscription } from '@steadfast/events'
import { settlesWithin } from '@steadfast/events/runtime'
import { Closed, NotMember } from './errors.ts'
import { restart } from './holdings.ts'
import { type Member, type SubscribeContext, startMember } from './member.ts'
import { readEnds } from './sql/read-ends.ts'
import { readLag } from './sql/read-lag.ts'
import { rewindOffsets } from './sql/rewind-offsets.ts'

// Leaving is worth a moment even where the deadline is over: it spares the others the wait for the lease.
const LEAVE_MS = 1000

/** Joins a group; see `Transport.subscribe`. */
export async function joinGroup(
  context: SubscribeContext,
  options: SubscribeOptions,
  onDelivery: (delivery: Delivery) => void
): Promise<Subscription> {
  const member = startMember(context, options, onDelivery)
  const { identity } = member
  const close = closer(context, member)
  await member.begun
  return {
    pause() {
      member.paused = true
    },
    resume() {
      member.paused = false
      member.fetching.poke()
    },
    lag: upTo => readLag(context.db, identity.group, identity.topics, upTo),
    end: async () => JSON.stringify(await readEnds(context.db, identity.topics)),
    rewind: to => rewind(context, member, to),
    close
  }
}

async function rewind({ db }: SubscribeContext, member: Member, to: 'beginning' | Date): Promise<void> {
  checkRewind(to)
  const { holdings, identity, membership } = member
  if (member.closing) throw new Closed()
  // What is done counts: only what was done can come again.
  await membership.commit()
  await membership.alone(async () => {
    // A member whose lease holds, and that has been given nothing, has nothing to take back.
    if (holdings.size === 0 && performance.now() >= membership.trustedUntil) throw new NotMember(identity.group)
    const moved = await rewindOffsets(
      db,
      identity,
      [...holdings.keys()].sort((a, b) => a - b),
      to
    )
    for (const { id, generation, offset } of moved) {
      const holding = holdings.get(id)
      if (holding?.generation === generation) restart(holding, offset)
    }
  })
  member.fetching.poke()
}

/** The first call begins to close; a later one can only bring the deadline forward. */
function closer({ settings, logger }: SubscribeContext, member: Member): Subscription['close'] {
  let closing: Promise<void> | undefined
  let closeBy = Number.POSITIVE_INFINITY
  let timer: NodeJS.Timeout | undefined
  let expire: () => void = () => {}
  const expired = new Promise<void>(resolve => {
    expire = resolve
  })

  async function run(): Promise<void> {
    member.closing = true
    await Promise.race([member.idle(), expired])
    clearTimeout(timer)
    await settlesWithin(leave(), Math.min(LEAVE_MS, settings.leaseMs))
  }

  async function leave(): Promise<void> {
    const stopped = member.stop()
    await member.membership
      .leave(LEAVE_MS)
      .catch(error =>
        logger.warn({ err: error, group: member.identity.group }, 'could not leave; the leases will run out')
      )
    await stopped
  }

  return deadlineMs => {
    const by = performance.now() + deadlineMs
    if (by < closeBy) {
      closeBy = by
      clearTimeout(timer)
      timer = setTimeout(expire, Math.min(deadlineMs, 2 ** 31 - 1))
    }
    closing ??= run()
    return closing
  }
}

function _delay(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms).unref())
}
