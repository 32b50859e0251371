import { OPERATOR_TOKEN } from '../../cluster/start-cluster.ts'
import type { Random } from '../../random.ts'
import { askJson, type Target } from './ask.ts'
import { describe, type Exchange, faultOf } from './exchange.ts'
import type { Operation } from './operations.ts'

type Headers = Record<string, string | string[]>

const flip = (text: string, at: number) =>
  text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) + text.slice(at + 1)

const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Credentials that are missing, wrong, or made to look right. */
export function forgeries(random: Random): Record<string, Headers> {
  const token = OPERATOR_TOKEN
  const bearer = (text: string): Headers => ({ authorization: `Bearer ${text}` })
  return {
    none: {},
    empty: { authorization: '' },
    'a scheme alone': { authorization: 'Bearer' },
    'a token of blanks': { authorization: 'Bearer    ' },
    'a wrong token': bearer('proof-token-for-nobody-0'),
    'a flipped bit': bearer(flip(token, random.between(0, token.length - 1))),
    'a shorter token': bearer(token.slice(0, -1)),
    'a longer token': bearer(`${token}x`),
    'two tokens run together': bearer(`${token},${token}`),
    'another case': bearer(token.toUpperCase()),
    'quotes around it': bearer(`"${token}"`),
    'percent-encoded': bearer(`%70${token.slice(1)}`),
    'the token as a scheme': { authorization: token },
    'as Basic': { authorization: `Basic ${Buffer.from(`operator:${token}`).toString('base64')}` },
    'as Basic in clear': { authorization: `Basic ${token}` },
    'a JWT signed by nobody': bearer(`${base64({ alg: 'none' })}.${base64({ sub: 'operator', exp: 9e9 })}.`),
    'a JWT signed by another': bearer(`${base64({ alg: 'HS256' })}.${base64({ sub: 'operator' })}.${base64('x')}`),
    'an endless token': bearer('x'.repeat(8000)),
    'a name of an object': bearer('__proto__'),
    'in a cookie': { cookie: `authorization=Bearer ${token}; token=${token}` },
    'in other headers': {
      'x-authorization': `Bearer ${token}`,
      'x-api-key': token,
      'proxy-authorization': `Bearer ${token}`
    },
    'as a proxy would say': {
      'x-forwarded-user': 'operator',
      'x-remote-user': 'operator',
      'x-forwarded-for': '127.0.0.1'
    },
    'wrong before right': { authorization: ['Bearer wrong', `Bearer ${token}`] }
  }
}

/** Other ways to write a path, and to say what one means. */
const DETOURS: readonly ((path: string) => { path: string; headers?: Headers })[] = [
  path => ({ path: path.toUpperCase() }),
  path => ({ path: `/${path}` }),
  path => ({ path: path.replace('/reconciliation/', '/reconciliation//') }),
  path => ({ path: path.replace('/reconciliation/', '/reconciliation/./') }),
  path => ({ path: path.replace('/reconciliation/', '/docs/../reconciliation/') }),
  path => ({ path: path.replace('/reconciliation/', '/docs/..%2freconciliation/') }),
  path => ({ path: path.replace('/reconciliation/', '/%72econciliation/') }),
  path => ({ path: path.replace('/reconciliation/', '/reconciliation;/') }),
  path => ({ path: path.replace(/(\?|$)/, '/$1') }),
  path => ({ path: `http://localhost${path}` }),
  path => ({ path: `${path}${path.includes('?') ? '&' : '?'}access_token=${OPERATOR_TOKEN}&token=${OPERATOR_TOKEN}` }),
  path => ({ path: '/health/live', headers: { 'x-original-url': path, 'x-rewrite-url': path } })
]

/** Whether an answer kept an operation from those who may not do it. */
function leakOf(exchange: Exchange): string | undefined {
  const { status, path, method } = exchange
  if (status !== undefined && status >= 400) return faultOf(exchange)
  if (path === '/health/live' && (method === 'HEAD' || exchange.received === '{"live":true}')) return undefined
  return `was answered ${status} without the right to it`
}

/** Asks for every operation with every forgery and every detour. Returns what was not refused. */
export async function forgeCredentials(
  target: Target,
  operations: readonly Operation[],
  { random, peerToken }: { random: Random; peerToken: string }
): Promise<{ exchanges: Exchange[]; violations: string[] }> {
  const exchanges: Exchange[] = []
  const violations: string[] = []
  const attempt = async (what: string, { method, path, body }: Operation, headers: Headers = {}) => {
    const by = `credentials: ${what}`
    const exchange = await askJson(target, { by, method, path, headers, body })
    exchanges.push(exchange)
    const leak = leakOf(exchange)
    if (leak !== undefined) violations.push(describe(exchange, leak))
  }
  for (const operation of operations) {
    for (const [what, headers] of Object.entries(forgeries(random))) await attempt(what, operation, headers)
    const peer = { authorization: `Bearer ${peerToken}` }
    if (!operation.forPeers) await attempt("a peer's token", operation, peer)
    for (const detour of DETOURS) {
      const { path, headers } = detour(operation.path)
      await attempt('a detour', { ...operation, path }, headers)
    }
  }
  return { exchanges, violations }
}
