import { OPERATOR_TOKEN } from '../../cluster/start-cluster.ts'
import type { Random } from '../../random.ts'
import type { Target } from './ask.ts'
import { describe, type Exchange, faultOf } from './exchange.ts'
import type { Operation } from './operations.ts'
import { abandonedOrders, rawKeys, rawPosts, rawRequests } from './raw-messages.ts'
import { type RawMessage, sendRaw } from './send-raw.ts'

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
  const paths = operations.flatMap(({ method, path }) => (method === 'POST' ? [path] : []))
  const messages: RawMessage[] = [
    ...rawRequests(random),
    ...paths.flatMap(path => rawPosts(path, credentials, random)),
    ...(target.service === 'market' ? [...rawPosts('/orders', [], random), ...rawKeys()] : []),
    ...(target.service === 'market' ? abandonedOrders(abandoned, random) : [])
  ]
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
