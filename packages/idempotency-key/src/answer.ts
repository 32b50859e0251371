import type { Answer } from '@steadfast/outbox'
import type { StoredAnswer } from '@steadfast/store/internal'
import type { FastifyReply } from 'fastify'
import { AnswerIsStream } from './errors.ts'

/**
 * What is kept of an answer: status, body, and the headers that are named.
 *
 * @throws SF_IDEMPOTENCY_KEY_STREAM
 */
export function keepAnswer(answer: Answer, names: readonly string[]): Omit<StoredAnswer, 'fingerprint'> {
  const { payload } = answer
  if (payload !== undefined && payload !== null && typeof payload !== 'string' && !Buffer.isBuffer(payload))
    throw new AnswerIsStream()
  const headers: StoredAnswer['headers'] = {}
  for (const name of names) {
    const value = Object.hasOwn(answer.headers, name) ? answer.headers[name] : undefined
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.map(String) : String(value)
  }
  return {
    status: answer.statusCode,
    headers,
    body: typeof payload === 'string' ? Buffer.from(payload) : (payload ?? null)
  }
}

/** Sends a kept answer once more, marked as a replay. As bytes, so that no serializer touches it. */
export function replayAnswer(reply: FastifyReply, { status, headers, body }: StoredAnswer): FastifyReply {
  return reply
    .code(status)
    .headers(headers)
    .header('idempotency-replayed', 'true')
    .send(body ?? undefined)
}
