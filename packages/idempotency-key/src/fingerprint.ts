import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { BodyUnseen } from './errors.ts'

const hashes = new WeakMap<IncomingMessage, () => string | undefined>()

/**
 * Hashes the body of a request while somebody else reads it: a parser, a hook, whoever. To be called before that.
 *
 * By way of `emit`, because whoever reads a stream makes it emit what is read: a listener of its own would set it
 * flowing, and a stream put in between would not see who reads the request itself, as those do that parse uploads.
 */
export function watchBody({ raw }: FastifyRequest): void {
  const hash = createHash('sha256')
  let isWhole = false
  const isLate = raw.readableDidRead
  const { emit } = raw
  raw.emit = function emitWatched(this: IncomingMessage, event: string | symbol, ...args: unknown[]) {
    if (event === 'data') hash.update(args[0] as Buffer | string)
    if (event === 'end') isWhole = !isLate
    return emit.call(this, event, ...args)
  } as typeof emit
  hashes.set(raw, () => (isWhole ? hash.copy().digest('base64url') : undefined))
}

/**
 * What a request asks for, as a hash: its address with the query, and its body as it was sent, with what says how to read
 * it. Method and route belong to the key.
 *
 * @throws SF_IDEMPOTENCY_KEY_BODY_UNSEEN
 */
export function fingerprintOf(request: FastifyRequest): string {
  const { raw, headers } = request
  const body = hasBody(raw) ? hashes.get(raw)?.() : ''
  if (body === undefined) throw new BodyUnseen()
  const sent = [request.originalUrl, headers['content-type'] ?? '', headers['content-encoding'] ?? '', body]
  return createHash('sha256').update(JSON.stringify(sent)).digest('base64url')
}

/** As the head of the message says it; HTTP/2 says it by a flag instead. */
function hasBody(raw: IncomingMessage & { stream?: { endAfterHeaders?: boolean } }): boolean {
  if (raw.stream?.endAfterHeaders !== undefined) return !raw.stream.endAfterHeaders
  const { 'content-length': length, 'transfer-encoding': encoding } = raw.headers
  return encoding !== undefined || Number(length ?? 0) > 0
}
