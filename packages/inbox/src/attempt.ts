import { UNANSWERED_TYPE } from '@steadfast/store/internal'
import { aboutRow, channels } from './channels.ts'
import { asDeliveryError, classify, codeOf } from './classify.ts'
import { deliveries, isUnanswered } from './context.ts'
import { decodeData } from './decode-delivery.ts'
import { NoAnswer, NotOpened } from './errors.ts'
import type { Attempt, Consumer, DeliveryContext, Item, Response } from './types.ts'

/** Beyond the handler's own time: for a handler that took the reply away, and so has no timeout any more. */
const GRACE_MS = 1_000

/** The server closes, and other plugins have not got as far as to let the inbox know. */
const SERVER_CLOSES = 'FST_ERR_REOPENED_CLOSE_SERVER'

/** Runs a delivery once through its route. Never rejects. */
export async function attempt(consumer: Consumer, item: Item): Promise<Attempt> {
  if (consumer.closing.aborted) return { kind: 'abandoned' }
  const context: DeliveryContext = { consumer, item, routed: false, stage: 'onRequest' }
  try {
    const response = await consumer.limit(async () => {
      context.data = await openData(consumer, item)
      consumer.active.add(context)
      return await inject(context).finally(() => consumer.active.delete(context))
    })
    const attempt = classify(context, response)
    if (attempt.kind === 'done' && channels.afterCommit.hasSubscribers)
      channels.afterCommit.publish({ ...aboutRow(item.row), how: attempt.how })
    // A route that is asked while the server closes answers 503 before its handler; that says nothing.
    if (consumer.closing.aborted && attempt.kind !== 'done' && attempt.kind !== 'verdict') return { kind: 'abandoned' }
    return attempt
  } catch (error) {
    if (consumer.closing.aborted || codeOf(error) === SERVER_CLOSES) return { kind: 'abandoned' }
    if (error instanceof NotOpened) return { kind: 'failure', status: 500, error: asDeliveryError(error, 500) }
    if (error instanceof NoAnswer) return { kind: 'failure', status: 504, error: asDeliveryError(error, 504) }
    return { kind: 'world', sure: true, error: asDeliveryError(error) }
  }
}

/** The data as their sender stated them. */
async function openData({ options, parseJson }: Consumer, { row, raw, data }: Item): Promise<unknown> {
  if (options.open === undefined) return data
  const { id, source, key } = row.envelope
  const type = isUnanswered(row) ? row.type.slice(UNANSWERED_TYPE.length) : row.type
  const payload = raw.toString('utf8')
  try {
    const opened = await options.open(payload, { id, source, type, key })
    if (typeof opened !== 'string') throw new TypeError('not a text')
    return opened === payload ? data : decodeData(parseJson, Buffer.from(opened), options.bigIntegers)
  } catch (error) {
    throw Object.assign(new NotOpened(type, (error as Error).message), { cause: error })
  }
}

function inject(context: DeliveryContext): Promise<Response> {
  const { consumer, item } = context
  const { url, options } = item.handler
  const { traceparent, tracestate } = item.row.envelope.headers
  const headers: Record<string, string> = {}
  if (traceparent !== undefined) headers.traceparent = traceparent
  if (tracestate !== undefined) headers.tracestate = tracestate
  return new Promise((resolve, reject) => {
    if (consumer.closing.aborted) return reject(new Error('closing'))
    const guard = setTimeout(() => {
      const gaveUp = () => reject(new NoAnswer(options.timeoutMs))
      Promise.resolve(context.tx?.rollback()).then(gaveUp, gaveUp)
    }, options.timeoutMs + GRACE_MS).unref()
    deliveries.run(context, () => {
      consumer.fastify.inject({ method: 'POST', url, headers }, (error, response) => {
        clearTimeout(guard)
        if (error || response === undefined) reject(error ?? new Error('no response'))
        else resolve(response)
      })
    })
  })
}
