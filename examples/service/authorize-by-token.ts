import { createHash, timingSafeEqual } from 'node:crypto'
import type { Authorizer } from '@steadfast/reconciliation'

const digest = (text: string) => createHash('sha256').update(text).digest()

const Unauthenticated = () =>
  Object.assign(new Error('A bearer token is needed'), {
    code: 'SERVICE_UNAUTHENTICATED',
    statusCode: 401,
    headers: { 'www-authenticate': 'Bearer' }
  })

/**
 * Opens the reconciliation routes to whoever has the operator's token, and to a peer with its own token as far as
 * comparing the ledgers goes. A real service asks its identity provider, and gets the person's name for the audit.
 */
export function authorizeByToken({
  operator,
  peer
}: {
  operator: string | undefined
  peer: string | undefined
}): Authorizer {
  const digests = [
    ...(operator === undefined ? [] : [{ actor: 'operator', digest: digest(operator) }]),
    ...(peer === undefined ? [] : [{ actor: 'peer', digest: digest(peer) }])
  ]
  return ({ headers }, right) => {
    const [scheme, token] = (headers.authorization ?? '').split(' ')
    if (scheme?.toLowerCase() !== 'bearer' || token === undefined) throw Unauthenticated()
    const given = digest(token)
    const holder = digests.find(known => timingSafeEqual(known.digest, given))
    if (holder === undefined) throw Unauthenticated()
    return holder.actor === 'peer' && right !== 'fates' ? false : { actor: holder.actor }
  }
}
