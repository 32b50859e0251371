import type { ServiceName } from '../../../check/look-up.ts'
import { curl, describe, type Exchange, jsonOf } from '../exchange.ts'

/** What schemathesis asked and found. */
export interface Report {
  exchanges: Exchange[]
  violations: string[]
}

interface Recorder {
  interactions?: Record<string, Interaction>
  checks?: Record<string, Check[]>
}

interface Interaction {
  request: { method: string; uri: string; headers: Record<string, string[]>; body?: { $base64: string } | null }
  response?: { status_code: number; headers: Record<string, string[]>; content?: { $base64: string } | null } | null
}

interface Check {
  name: string
  status: string
  failure_info?: { failure: { title: string; message: string } }
}

const textOf = (bytes: { $base64: string } | null | undefined) =>
  bytes ? Buffer.from(bytes.$base64, 'base64').toString() : undefined

function exchangeOf({ request, response }: Interaction, service: ServiceName): Exchange {
  const { method, uri } = request
  const sent = textOf(request.body)
  const headers = Object.entries(request.headers).map(([name, values]): [string, string] => [name, values.join(', ')])
  return {
    service,
    by: 'schemathesis',
    method,
    path: uri.replace(/^https?:\/\/[^/?]*/, ''),
    sent,
    status: response?.status_code,
    contentType: response?.headers['content-type']?.[0] ?? '',
    received: textOf(response?.content) ?? '',
    again: curl({ method, url: uri, headers, body: sent })
  }
}

const TOLERATED = /Incorrect type|violates `type`|in query - violates `additionalProperties`/

/**
 * Whether a failed check tells of a fault. Text is converted to the type that a schema asks for, so that "true" is a
 * number where one is asked for; parameters that a route does not know may be ignored; and what a document allows may
 * still be refused by a code of the service's own, or be no HTTP.
 */
function isFault({ name, status, failure_info }: Check, exchange: Exchange): boolean {
  if (status !== 'failure' || name === 'not_a_server_error') return false
  if (name === 'negative_data_rejection') return !TOLERATED.test(failure_info?.failure.message ?? '')
  if (name !== 'positive_data_acceptance') return true
  const { code, message } = jsonOf(exchange) ?? {}
  return message !== 'Client Error' && !/^(?:SF|MARKET|DEPLOY)_/.test(String(code))
}

/** Reads the events that schemathesis wrote, one JSON a line. Answers are judged by `faultOf`, not here. */
export function readReport(ndjson: string, service: ServiceName): Report {
  const exchanges: Exchange[] = []
  const found = new Map<string, string>()
  for (const line of ndjson.split('\n')) {
    if (!line.startsWith('{"ScenarioFinished"')) continue
    const { recorder } = (JSON.parse(line) as { ScenarioFinished: { recorder: Recorder } }).ScenarioFinished
    for (const [id, interaction] of Object.entries(recorder.interactions ?? {})) {
      const exchange = exchangeOf(interaction, service)
      exchanges.push(exchange)
      for (const check of recorder.checks?.[id] ?? []) {
        if (!isFault(check, exchange)) continue
        const { title = check.name, message = '' } = check.failure_info?.failure ?? {}
        // one of a kind: the others say the same
        const kind = `${exchange.method} ${exchange.path.split('?', 1)} ${title}`
        if (!found.has(kind)) found.set(kind, describe(exchange, `${title}: ${message.replaceAll('\n', '; ')}`))
      }
    }
  }
  return { exchanges, violations: [...found.values()] }
}
