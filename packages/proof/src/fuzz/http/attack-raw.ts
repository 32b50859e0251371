import { OPERATOR_TOKEN } from '../../cluster/start-cluster.ts'
import type { Random } from '../../random.ts'
import type { Target } from './ask.ts'
import { describe, type Exchange, faultOf } from './exchange.ts'
import type { Operation } from './operations.ts'
import { abandonedOrders, rawKeys, rawPosts, rawRequests, WORDS } from './raw-messages.ts'
import { type RawMessage, sendRaw } from './send-raw.ts'

const ORDER = { path: '/orders', body: { product: 'sleeper', plan: WORDS } }

/** An answer, or the end of the connection where that is one. */
const rawFaultOf = (exchange: Exchange, { expects = 'answer' }: RawMessage): string | undefined =>
  exchange.status === undefined && expects !== 'answer' ? undefined : faultOf(exchange)

/** Sends what no client would. */
export async function attackRaw(
  target: Target,
  operations: readonly Operation[],
  { random, abandoned }: { random: Random; abandoned: number }
): Promise<{ exchanges: Exchange[]; violations: string[] }> {
  const credentials = [`authorization: Bearer ${OPERATOR_TOKEN}`]
  const posts = operations.flatMap(({ method, path, body }) => (method === 'POST' ? [{ path, body }] : []))
  const messages: RawMessage[] = [...rawRequests(random), ...posts.flatMap(post => rawPosts(post, credentials, random))]
  if (target.service === 'market')
    messages.push(...rawPosts(ORDER, [], random), ...rawKeys(), ...abandonedOrders(abandoned, random))
  const exchanges: Exchange[] = []
  const violations: string[] = []
  for (const message of messages) {
    const exchange = await sendRaw(target, message)
    exchanges.push(exchange)
    const fault = rawFaultOf(exchange, message)
    if (fault !== undefined) violations.push(describe(exchange, fault))
  }
  return { exchanges, violations }
}
