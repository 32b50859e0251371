import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'

/** What a request asks for, as a hash: its address with the query, and its body as the handler sees it. */
export function fingerprintOf(request: FastifyRequest): string {
  const { body } = request
  const bytes = Buffer.isBuffer(body) ? body : (JSON.stringify(body) ?? '')
  return createHash('sha256').update(request.url).update('\n').update(bytes).digest('base64url')
}
