import type { ServiceName } from '../../check/look-up.ts'

/** A request of the fuzz, and what came back. */
export interface Exchange {
  service: ServiceName
  /** Who made it, e.g. `schemathesis` or the name of an attack. */
  by: string
  method: string
  /** With its query. */
  path: string
  /** The body as text, if there was one. */
  sent: string | undefined
  /** `undefined`: no answer. */
  status: number | undefined
  contentType: string
  /** The body of the answer as text. */
  received: string
  /** A command that sends it again. */
  again: string
}

/** The body of an answer as JSON; undefined when it is none. */
export function jsonOf({ received }: Pick<Exchange, 'received'>): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(received)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** The path without its query. */
export const placeOf = ({ path }: Pick<Exchange, 'path'>): string => path.split('?', 1)[0] as string

// Codes that Fastify, its plugins and this project's own packages and examples give. A code of PostgreSQL is none.
const CODE = /^(?:SF|FST|MARKET|DEPLOY|SERVICE)_[A-Z0-9_]+$/

/**
 * What is wrong with an answer, whatever the question was: every question is answered; 500 says that somebody did not
 * think of it; each refusal is JSON with its status, and has a code, unless it says that there is no such route or that
 * the bytes were no HTTP.
 */
export function faultOf(exchange: Exchange): string | undefined {
  const { status, contentType } = exchange
  if (status === undefined) return 'was not answered'
  if (status < 400) return undefined
  if (status === 503 && ['/health/ready', '/health/messaging'].includes(placeOf(exchange))) return undefined
  if (status !== 500 && (exchange.method === 'HEAD' || isOfNode(exchange))) return undefined
  const body = jsonOf(exchange)
  if (status === 500) return `was answered 500${body?.code === undefined ? ' without a code' : `, ${body.code}`}`
  if (body === undefined) return `was answered ${status} with what is no JSON`
  if (!contentType.startsWith('application/json')) return `was answered ${status} as ${contentType || 'nothing'}`
  if (body.statusCode !== status) return `was answered ${status}, and the body says ${body.statusCode}`
  const needsNone = isNoRoute(status, body) || isNoHttp(status, body)
  if (body.code === undefined && needsNone) return undefined
  return CODE.test(String(body.code)) ? undefined : `was answered ${status} with the code ${body.code}`
}

/** No Host, or an expectation that is unknown: Node.js refuses it by itself, without a body. */
const isOfNode = ({ status, received }: Exchange) => (status === 400 || status === 417) && received === ''

const isNoRoute = (status: number, { message }: Record<string, unknown>) =>
  status === 404 && /^Route .* not found$/s.test(String(message))

const isNoHttp = (status: number, { message }: Record<string, unknown>) =>
  [400, 408, 431].includes(status) &&
  /^(?:Client Error|Client Timeout|Exceeded maximum allowed HTTP header size)$/.test(String(message))

const LONGEST = 2000
const clip = (text: string) => (text.length > LONGEST ? `${text.slice(0, LONGEST)}… (${text.length} characters)` : text)

/** An exchange as a violation, with the command that repeats it. */
export function describe(exchange: Exchange, fault: string): string {
  const { service, by, method, path, received, again } = exchange
  const lines = [`${method} ${clip(path)} of ${service} ${fault} (${by})`, `again: ${clip(again)}`]
  if (received !== '') lines.push(`answer: ${clip(received)}`)
  return lines.join('\n  ')
}

/** The command line that sends a request again. */
export function curl(request: {
  method: string
  url: string
  headers: Iterable<[string, string]>
  body?: string | undefined
}) {
  const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
  const headers = [...request.headers].map(([name, value]) => `-H ${quote(`${name}: ${value}`)}`)
  const body = request.body === undefined ? [] : [`--data-binary ${quote(request.body)}`]
  return ['curl --path-as-is -X', request.method, quote(request.url), ...headers, ...body].join(' ')
}
