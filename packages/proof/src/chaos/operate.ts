import { setTimeout as sleep } from 'node:timers/promises'
import { type Cluster, OPERATOR_TOKEN } from '../cluster/start-cluster.ts'
import type { Random } from '../random.ts'

type Service = 'market' | 'deploy'
interface Item {
  /** Of an event. */
  id: string
  /** Of a delivery. */
  eventId: string
  parkReason?: string | null
}

const EVERY_MS = 2000
const AT_ONCE = 40
/** So long a person waits for what a resend does. Whoever sent all again at each look would bury a group that lags behind. */
const WAIT_MS = 20_000

/** A person who works through what was parked and held, now this way, now that. */
export interface Operator {
  /** One look; resolves with how much there was to do. */
  work(): Promise<number>
  /** Looks again and again. */
  keepWorking(stop: AbortSignal): Promise<void>
}

export function createOperator({ processes, journal, pools }: Cluster, random: Random): Operator {
  const urlOf = (service: Service) => random.pick(processes.filter(p => p.service === service)).url
  const ask = async (service: Service, path: string, body?: object) => {
    const response = await fetch(`${urlOf(service)}/reconciliation${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(5000)
    })
    const answer = (await response.json()) as { items?: Item[] }
    return { status: response.status, items: answer.items ?? [] }
  }
  const act = async (service: Service, action: string, eventId: string, path: string) => {
    const note = `a person says ${action}`
    const status = await ask(service, path, { note }).then(
      answer => answer.status,
      () => 'unknown' as const
    )
    journal.write({ kind: 'operator', service, action, eventId, status })
  }
  const look = (service: Service, path: string) =>
    ask(service, path).then(
      ({ items }) => items,
      () => [] as Item[]
    )
  const mend = (id: string) =>
    pools.deploy
      .query('insert into note_mended (event_id) values ($1) on conflict do nothing', [id])
      .catch(() => undefined)

  const onHeld = async (service: Service, id: string) => {
    await mend(id)
    const action = random.next() < 0.5 ? 'release' : 'reprocess'
    await act(service, action, id, `/inbox/${service}/${id}/${action}`)
  }
  const resentAt = new Map<string, number>()
  const onParked = async ({ id, parkReason }: Item) => {
    const now = performance.now()
    if (now < (resentAt.get(id) ?? Number.NEGATIVE_INFINITY) + WAIT_MS) return
    resentAt.set(id, now)
    // a refusal is final: sent again it is refused again; and nobody makes the missing topic, or opens the forbidden one
    const isFinal = parkReason === 'TOPIC_UNAVAILABLE' || (parkReason === 'REFUSED' && random.next() < 0.7)
    const action = isFinal ? 'resolve' : 'resend'
    await act('market', action, id, `/events/${id}/${action}`)
  }
  const work = async () => {
    let found = 0
    for (const service of ['deploy', 'market'] as const) {
      const held = await look(service, `/inbox?state=HELD&limit=${AT_ONCE}&order=oldest`)
      await Promise.all(held.map(({ eventId }) => onHeld(service, eventId)))
      found += held.length
    }
    const parked = await look('market', `/events?status=PARKED&limit=${AT_ONCE}&order=oldest`)
    await Promise.all(parked.map(onParked))
    return found + parked.length
  }
  return {
    work,
    async keepWorking(stop) {
      while (!stop.aborted) {
        await work()
        await sleep(EVERY_MS, undefined, { signal: stop }).catch(() => {})
      }
    }
  }
}
