import { KeyInvalid } from './errors.ts'

/**
 * The key of the header `Idempotency-Key`: a string of Structured Fields (RFC 9651, in quotes), as the IETF draft has
 * it, or the bare key that most clients send.
 *
 * @throws SF_IDEMPOTENCY_KEY_INVALID
 */
export function readKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined
  if (typeof header !== 'string') throw new KeyInvalid()
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(header.trim())
  const key = quoted?.[1]?.replace(/\\(["\\])/g, '$1') ?? header.trim()
  if (!/^[\x20-\x7e]{1,255}$/.test(key) || (quoted === null && /[",]/.test(key))) throw new KeyInvalid()
  return key
}
