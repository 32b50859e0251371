import { createHash } from 'node:crypto'
import type { FastifyRequest, RouteOptions } from 'fastify'
import { PrincipalInvalid } from './errors.ts'
import type { IdempotencyKeyOptions, Principal } from './options.ts'

/** Where the keys of a route count; the method is that of the request. */
export function routeOf({ url, constraints = {} }: Pick<RouteOptions, 'url' | 'constraints'>): string {
  const narrowed = Object.entries(constraints).map(([name, value]) => ` ${name}=${String(value)}`)
  return url + narrowed.sort().join('')
}

/**
 * A key together with whose it is, as a hash: however long a principal is, and whatever it says, it fits into the index
 * and stands in no table.
 *
 * @throws SF_IDEMPOTENCY_KEY_PRINCIPAL_INVALID
 */
export async function nameKey(
  principal: IdempotencyKeyOptions['principal'],
  request: FastifyRequest,
  key: string
): Promise<string> {
  const whose = principal === 'shared' ? [] : [await tellPrincipal(principal, request)]
  return hashOf([...whose, key])
}

const hashOf = (texts: string[]) => createHash('sha256').update(JSON.stringify(texts)).digest('base64url')

async function tellPrincipal(principal: Principal, request: FastifyRequest): Promise<string> {
  const told: unknown = await principal(request)
  if (typeof told !== 'string' || told.trim() === '') throw new PrincipalInvalid()
  return told
}
