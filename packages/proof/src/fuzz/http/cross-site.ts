import { OPERATOR_TOKEN } from '../../cluster/start-cluster.ts'
import { ask, type Target } from './ask.ts'
import { describe, type Exchange, faultOf } from './exchange.ts'
import type { Operation } from './operations.ts'

const EVIL = { origin: 'https://evil.example', referer: 'https://evil.example/page' }
const CROSS = { ...EVIL, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'empty' }

/** What a browser sends for a page of another site without asking first: the content types of forms, or none. */
const SIMPLE = [
  'text/plain',
  'text/plain;application/json',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=application/json',
  'text/plain; charset=application/json'
]

/**
 * Posts every deed as the page of another site can make an operator's browser post it, the right credentials included:
 * as forms do, with and without the headers by which newer browsers say so; as JSON by a browser that says so; and the
 * question that a browser asks before it sends JSON, which must not be answered with a yes.
 */
export async function postFromOtherSites(
  target: Target,
  operations: readonly Operation[]
): Promise<{ exchanges: Exchange[]; violations: string[] }> {
  const exchanges: Exchange[] = []
  const violations: string[] = []
  const credentials = { authorization: `Bearer ${OPERATOR_TOKEN}` }
  for (const { method, path, body } of operations) {
    if (method === 'GET' || method === 'HEAD') continue
    const json = JSON.stringify(body)
    const attempt = async (headers: Record<string, string>, text = json) => {
      const by = 'a page of another site'
      const exchange = await ask(target, { by, method, path, headers: { ...credentials, ...headers }, body: text })
      exchanges.push(exchange)
      const { status } = exchange
      const fault = status === 403 || status === 415 ? faultOf(exchange) : `was answered ${status}, not 403 or 415`
      if (fault !== undefined) violations.push(describe(exchange, fault))
    }
    for (const origin of [EVIL, CROSS, { origin: 'null' }]) {
      for (const type of SIMPLE) await attempt({ ...origin, 'content-type': type })
      await attempt(origin)
      await attempt(
        { ...origin, 'content-type': 'application/x-www-form-urlencoded' },
        `note=x&body=${encodeURIComponent(json)}`
      )
    }
    await attempt({ ...CROSS, 'sec-fetch-mode': 'cors', 'content-type': 'application/json' })
    const problem = await preflight(target, path)
    if (problem !== undefined) violations.push(problem)
  }
  return { exchanges, violations }
}

async function preflight({ url }: Target, path: string): Promise<string | undefined> {
  const headers = {
    ...EVIL,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,content-type'
  }
  const response = await fetch(`${url}${path}`, { method: 'OPTIONS', headers })
  await response.body?.cancel()
  const allowed = response.headers.get('access-control-allow-origin')
  return allowed === null ? undefined : `OPTIONS ${path} allows other sites: ${allowed}`
}
