import { isUtf8 } from 'node:buffer'

/**
 * Headers as JSON text that a person can read in the table: a string where the bytes are UTF-8, else
 * `{"base64": "…"}`.
 */
export function encodeHeaders(headers: Record<string, Buffer>): string {
  const entries = Object.entries(headers).map(([name, value]) => [
    name,
    isUtf8(value) ? value.toString('utf8') : { base64: value.toString('base64') }
  ])
  return JSON.stringify(Object.fromEntries(entries))
}

/** The inverse of {@link encodeHeaders}, byte by byte. */
export function decodeHeaders(text: string): Record<string, Buffer> {
  const encoded = JSON.parse(text) as Record<string, string | { base64: string }>
  return Object.fromEntries(
    Object.entries(encoded).map(([name, value]) => [
      name,
      typeof value === 'string' ? Buffer.from(value, 'utf8') : Buffer.from(value.base64, 'base64')
    ])
  )
}
