import { isUtf8 } from 'node:buffer'
import { type StoredDelivery, type StoredEvent, viewDelivery, viewEvent } from '@steadfast/store/internal'
import type { FastifyRequest } from 'fastify'
import type { Context, Present, Presented } from './context.ts'
import { actorOf, mayView } from './guard.ts'

/** An event as it is shown: with its data to whom may see them, and a trace of that in the audit. */
export async function showEvent(context: Context, request: FastifyRequest, event: StoredEvent) {
  const { payload: _, headers: __, ...row } = event
  if (!mayView(request)) return { ...row, payloadHidden: true }
  const data = await viewEvent(context.db, { id: row.id, actor: actorOf(request) })
  if (data === undefined) return { ...row, payload: null, headers: {}, payloadHidden: false }
  if (context.present === undefined) return { ...row, ...data, payloadHidden: false }
  const payload = present(context.present, request, {
    from: 'event',
    ...wordsOf(row),
    id: row.id,
    payload: data.payload
  })
  return payload === null ? { ...row, payloadHidden: true } : { ...row, payload, payloadHidden: false }
}

/** A delivery as it is shown: with its data to whom may see them, and a trace of that in the audit. */
export async function showDelivery(context: Context, request: FastifyRequest, delivery: StoredDelivery) {
  const { body: _, envelope, ...row } = delivery
  const { headers: __, ...bare } = envelope
  const hidden = { ...row, envelope: bare, payloadHidden: true }
  if (!mayView(request)) return hidden
  const { consumer, eventId } = row
  const data = await viewDelivery(context.db, { consumer, eventId, actor: actorOf(request) })
  const body = data?.body ?? null
  if (context.present === undefined || body === null) {
    const headers = context.present === undefined ? { headers: data?.headers ?? {} } : {}
    return { ...row, envelope: { ...bare, ...headers }, body: body && textOf(body), payloadHidden: false }
  }
  // What is no text cannot be looked through.
  if (!isUtf8(body)) return hidden
  const about = { from: 'inbox', ...wordsOf(row), id: eventId, payload: body.toString() } as const
  const text = present(context.present, request, about)
  return text === null ? hidden : { ...hidden, body: { encoding: 'utf8' as const, data: text }, payloadHidden: false }
}

const wordsOf = ({ source, type, key }: Pick<Presented, 'source' | 'type' | 'key'>) => ({ source, type, key })

function present(ask: Present, request: FastifyRequest, row: Presented): string | null {
  try {
    const text: unknown = ask(row)
    if (text === null) return null
    if (typeof text === 'string' && text.length <= 2 * row.payload.length + 10_000) return text
    // A promise is no text; if it fails, nobody else would hear of it.
    Promise.resolve(text).catch(() => {})
  } catch {
    // The error may quote the data.
  }
  request.log.error(
    { code: 'SF_RECONCILIATION_PRESENT_FAILED', from: row.from, id: row.id },
    'option "present" gave nothing to show: the payload is hidden'
  )
  return null
}

function textOf(body: Buffer) {
  const encoding = isUtf8(body) ? 'utf8' : 'base64'
  return { encoding, data: body.toString(encoding) } as const
}
