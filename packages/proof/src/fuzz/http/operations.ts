import type { ServiceName } from '../../check/look-up.ts'
import type { Ground } from './prepare-ground.ts'
import { WORDS } from './raw-messages.ts'

/** The part of an OpenAPI document that is read here. */
export interface Document {
  paths: Record<string, Record<string, unknown>>
}

/** A request that does what its operation is for. */
export interface Operation {
  method: string
  path: string
  body?: unknown
  /** A peer may do it too. */
  forPeers: boolean
}

const OPERATOR = '/reconciliation/'
const NOTE = { note: WORDS }

const bodyOf: Record<string, (ids: Ids) => unknown> = {
  '/events/{id}/resend': () => NOTE,
  '/events/{id}/resolve': () => NOTE,
  '/inbox/{consumer}/{id}/reprocess': () => NOTE,
  '/inbox/{consumer}/{id}/release': () => NOTE,
  '/replays/{id}/stop': () => NOTE,
  '/events/bulk': () => ({ action: 'resend', filter: { status: 'PARKED' }, limit: 1, ...NOTE }),
  '/inbox/bulk': () => ({ action: 'reprocess', filter: { state: 'HELD' }, limit: 1, ...NOTE }),
  '/fates': ({ event }) => ({ ids: [event] }),
  '/replays': () => ({ from: '2020-01-01T00:00:00Z', until: '2020-01-01T00:00:01Z', ...NOTE }),
  // What is erased the rest of the attack could not work on.
  '/erasures': () => ({ key: 'a key of nobody', ...NOTE })
}
const queryOf: Record<string, string> = {
  '/received': '?source=market&since=2020-01-01T00:00:00Z',
  '/compare': '?peer=deploy&since=2020-01-01T00:00:00Z'
}
const FOR_PEERS = ['/fates', '/received']

interface Ids {
  event: string
  delivery: string
  consumer: string
}

/**
 * One request for each operator's operation of the document that would be done if its sender might do it, and a HEAD
 * for each GET. What the ground has only at the other service is unknown at this one.
 *
 * @throws Error when the document has a POST that is unknown here: the attack would miss it
 */
export function operatorOperations(document: Document, service: ServiceName, ground: Ground): Operation[] {
  const ids = { event: ground.parked, delivery: ground.held, consumer: service }
  return Object.entries(document.paths)
    .filter(([path]) => path.startsWith(OPERATOR))
    .flatMap(([template, methods]) => {
      const name = template.slice(OPERATOR.length - 1)
      const id = name.startsWith('/inbox') ? ids.delivery : ids.event
      const path = template.replace('{consumer}', ids.consumer).replace('{id}', id) + (queryOf[name] ?? '')
      return Object.keys(methods).flatMap((lower): Operation[] => {
        const forPeers = FOR_PEERS.includes(name)
        if (lower === 'get') return ['GET', 'HEAD'].map(method => ({ method, path, forPeers }))
        const body = bodyOf[name]?.(ids)
        if (body === undefined) throw new Error(`no body is known for ${lower} ${template}`)
        return [{ method: lower.toUpperCase(), path, body, forPeers }]
      })
    })
}
