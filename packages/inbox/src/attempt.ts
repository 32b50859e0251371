import { aboutRow, channels } from './channels.ts'
import { type Attempt, asDeliveryError, classify, type Response } from './classify.ts'
import type { Consumer } from './consumer.ts'
import { type DeliveryContext, deliveries, type Item } from './context.ts'
import { NoAnswer } from './errors.ts'

/** Beyond the handler's own time: for a handler that took the reply away, and so has no timeout any more. */
const GRACE_MS = 1_000

/** Runs a delivery once through its route. Never rejects. */
export async function attempt(consumer: Consumer, item: Item): Promise<Attempt> {
  if (consumer.closing.aborted) return { kind: 'abandoned' }
  const context: DeliveryContext = { consumer, item, routed: false, stage: 'before' }
  try {
    const response = await consumer.limit(async () => {
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
    if (consumer.closing.aborted) return { kind: 'abandoned' }
    if (error instanceof NoAnswer)
      return { kind: 'failure', reached: true, status: 504, error: asDeliveryError(error, 504) }
    return { kind: 'world', sure: true, error: asDeliveryError(error) }
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
