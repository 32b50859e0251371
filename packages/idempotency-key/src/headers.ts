import type { FastifyReply } from 'fastify'

/** Headers that say something about the answer itself: kept with it. */
const SAFE = [
  'accept-ranges',
  'allow',
  'cache-control',
  'content-digest',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-location',
  'content-security-policy',
  'content-type',
  'deprecation',
  'etag',
  'expires',
  'last-modified',
  'link',
  'location',
  'preference-applied',
  'repr-digest',
  'retry-after',
  'sunset',
  'vary',
  'x-content-type-options'
]

/** Headers that carry a caller's credentials, or ask for them: they are for one request only. */
const SECRET = new Set([
  'authentication-info',
  'authorization',
  'cookie',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'set-cookie',
  'set-cookie2',
  'www-authenticate'
])

/** Headers of one message and its connection. */
const OF_MESSAGE = new Set([
  'connection',
  'content-length',
  'date',
  'idempotency-replayed',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade'
])

/** Whether a header may be kept: a name that HTTP knows, and neither a secret nor of one message. */
export function isReplayable(name: string): boolean {
  const lower = name.toLowerCase()
  return /^[!#$%&'*+.^_`|~0-9a-z-]{1,255}$/.test(lower) && !SECRET.has(lower) && !OF_MESSAGE.has(lower)
}

/** The names of what is kept: the safe ones and `more`. */
export function keptNames(more: readonly string[]): readonly string[] {
  return [...new Set([...SAFE, ...more.map(name => name.toLowerCase())])]
}

/**
 * Looks, when the handler has given its answer, for a header that no other request may be sent and that the handler has
 * set. What hooks set, before it or after, they set for a replay as well.
 *
 * @returns the name of the header, as far as is known by now
 */
export function watchForSecrets(reply: FastifyReply): () => string | undefined {
  const before = reply.getHeaders()
  const { send } = reply
  let found: string | undefined
  reply.send = function sendWatched(this: FastifyReply, payload) {
    const headers = this.getHeaders()
    found ??= Object.keys(headers).find(name => SECRET.has(name) && String(headers[name]) !== String(before[name]))
    return send.call(this, payload)
  } as typeof send
  return () => found
}
