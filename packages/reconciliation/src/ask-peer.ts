import type { Static, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import type { Context } from './context.ts'
import { PeerUnavailable, PeerUnknown } from './errors.ts'

/**
 * Asks a peer one question and checks the form of its answer.
 *
 * @throws SF_RECONCILIATION_PEER_UNKNOWN, SF_RECONCILIATION_PEER_UNAVAILABLE
 */
export async function askPeer<S extends TSchema>(
  { peers, peerTimeoutMs }: Pick<Context, 'peers' | 'peerTimeoutMs'>,
  name: string,
  path: string,
  answer: S,
  body?: unknown
): Promise<Static<S>> {
  const peer = Object.hasOwn(peers, name) ? peers[name] : undefined
  if (peer === undefined) throw new PeerUnknown(name, Object.keys(peers).join(', '))
  const headers = { accept: 'application/json', ...peer.headers?.() }
  const request = {
    headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    redirect: 'error' as const,
    signal: AbortSignal.timeout(peerTimeoutMs)
  }
  let value: unknown
  try {
    const response = await fetch(`${peer.url.replace(/\/+$/, '')}${path}`, request)
    if (!response.ok) {
      await response.body?.cancel()
      throw new Error(`answered ${response.status}`)
    }
    value = await response.json()
  } catch (error) {
    const { message, cause } = error as Error
    throw new PeerUnavailable(name, cause instanceof Error ? `${message}: ${reasonOf(cause)}` : message)
  }
  if (!Value.Check(answer, value)) throw new PeerUnavailable(name, 'answered in a form that is not understood')
  return value
}

const reasonOf = (cause: Error & { code?: string }) => cause.code ?? cause.message
