import { type DeliveryError, sqlStateOf, UNANSWERED_TYPE } from '@steadfast/store/internal'
import { isAboutRow } from './about-row.ts'
import { aboutRow, channels } from './channels.ts'
import { deliveries, isUnanswered } from './context.ts'
import { decodeData } from './decode-delivery.ts'
import { ALARMS, asDeliveryError, codeOf, storable } from './delivery-error.ts'
import { AnswerRaced, DataRefused, NoAnswer, NotCommitted, NotOpened, NotReached, Unstorable } from './errors.ts'
import { readRetryAfter } from './retry-after.ts'
import type { Consumer, DeliveryContext, Item, Response, Run } from './types.ts'

const IN_THE_WAY = new Set(['40001', '40P01', '55P03'])
const DOWN = /^(?:08|57P|53|58|25006)/
/** A statement took too long, the handler idled too long, or its transaction lasted too long. */
const TOO_LONG = new Set(['57014', '25P03', '25P04'])
const NO_DATABASE = new Set(['SF_OUTBOX_NO_CONNECTION', 'SF_OUTBOX_CONNECTION_LOST', 'SF_OUTBOX_OUTCOME_UNKNOWN'])
const RACED = new AnswerRaced('').code
const DATA_REFUSED = new DataRefused('', '').code
/** Who may have ended a delivery before its handler, by how far it came. */
const BEFORE = {
  onRequest: 'an onRequest hook',
  preValidation: 'a preParsing or preValidation hook',
  preHandler: 'a preHandler hook'
}
const LATER = new Set([408, 425, 429, 503])
const TIMEOUT = 'FST_ERR_HANDLER_TIMEOUT'

/** Beyond the handler's own time: for a handler that took the reply away, and so has no timeout any more. */
const GRACE_MS = 1_000

/** The server closes, and other plugins have not got as far as to let the inbox know. */
const SERVER_CLOSES = 'FST_ERR_REOPENED_CLOSE_SERVER'

/** Runs a delivery once through its route. Never rejects. */
export async function runOnce(consumer: Consumer, item: Item): Promise<Run> {
  if (consumer.closing.aborted) return { kind: 'abandoned' }
  const context: DeliveryContext = { consumer, item, routed: false, stage: 'onRequest' }
  try {
    const response = await consumer.limit(async () => {
      context.data = await openData(consumer, item)
      consumer.active.add(context)
      return await inject(context).finally(() => consumer.active.delete(context))
    })
    const run = judge(context, response)
    if (run.kind === 'done' && channels.afterCommit.hasSubscribers)
      channels.afterCommit.publish({ ...aboutRow(item.row), how: run.how })
    // A route that is asked while the server closes answers 503 before its handler; that says nothing.
    if (consumer.closing.aborted && run.kind !== 'done' && run.kind !== 'verdict') return { kind: 'abandoned' }
    return run
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

/** What a run came to, by its status, its error and how far it came. */
export function judge(context: DeliveryContext, response: Response): Run {
  const { tx, stage, replay } = context
  const status = response.statusCode
  // What stands in the database decides, whatever happened to the answer on its way out.
  if (tx?.phase === 'committed')
    return { kind: 'done', how: context.ended ?? 'handled', status: context.status ?? status }
  const error = errorOf(context, response)
  const trouble = troubleOf(tx?.error, context.error)
  if (trouble === 'in the way') return { kind: 'again', reached: stage === 'handler', status, error, replay }
  if (trouble === 'down') return { kind: 'world', sure: false, error }
  const code = codeOf(context.error)
  if (code !== undefined && ALARMS.has(code)) return { kind: 'verdict', status, error, alarm: code }
  if (stage === 'inbox') {
    const cause = tx?.error ?? context.error
    if (isAboutRow(cause))
      return { kind: 'verdict', status: 422, error: asDeliveryError(new Unstorable(error.message), 422), replay }
    return { kind: 'world', sure: true, error }
  }
  if (stage !== 'handler') {
    // Only the contract and the handler judge an event. What a hook of the host says is the host's affair.
    if (code !== DATA_REFUSED) return { kind: 'world', sure: true, error: notReached(context, stage, status, error) }
    return { kind: 'verdict', status: 400, error: { ...error, status: 400 }, replay }
  }
  if (code === TIMEOUT || TOO_LONG.has(sqlStateOf(tx?.error) ?? ''))
    return { kind: 'failure', status: 504, error, replay }
  if (LATER.has(status))
    return { kind: 'wait', ...readRetryAfter(response.headers['retry-after']), status, error, replay }
  if (status >= 400 && status < 500) return { kind: 'verdict', status, error, replay }
  return { kind: 'failure', status, error, replay }
}

/** Says which hooks to look at: those of a server are many, and none of them knows of deliveries. */
function notReached(
  { item, error: seen }: DeliveryContext,
  stage: keyof typeof BEFORE,
  status: number,
  { message, code }: DeliveryError
): DeliveryError {
  const who = status === 404 && seen === undefined ? `${BEFORE[stage]}, or a rewritten URL,` : BEFORE[stage]
  const said = status < 400 ? 'it is no answer' : [code, message].filter(Boolean).join(': ')
  return asDeliveryError(new NotReached(`${who} answered ${status}`, item.handler.url, said), status)
}

/** What the transaction says of the database; the errors of other databases that a handler uses are its own affair. */
function troubleOf(ofTransaction: unknown, seen: unknown): 'in the way' | 'down' | undefined {
  if (codeOf(seen) === RACED) return 'in the way'
  if (ofTransaction === undefined) return NO_DATABASE.has(codeOf(seen) ?? '') ? 'down' : undefined
  const state = sqlStateOf(ofTransaction)
  if (state === undefined) return 'down'
  if (IN_THE_WAY.has(state)) return 'in the way'
  return DOWN.test(state) ? 'down' : undefined
}

function errorOf({ error, status: answered }: DeliveryContext, response: Response): DeliveryError {
  const status = response.statusCode
  if (error === undefined && status < 400) return asDeliveryError(new NotCommitted(answered ?? status), status)
  if (error !== undefined) return asDeliveryError(error, status)
  return { status, ...saidBy(response.payload, status) }
}

/** A reply without a throw: the code and the message are in its body, if it has the usual form. */
function saidBy(payload: string, status: number): { message: string; code?: string } {
  try {
    const { message, error, code } = JSON.parse(payload) as Record<string, unknown>
    const text = [message, error].find(m => typeof m === 'string')
    if (typeof text === 'string')
      return { message: storable(text), ...(typeof code === 'string' && { code: storable(code) }) }
  } catch {}
  return { message: payload === '' ? `status ${status}` : storable(payload.slice(0, 2000)) }
}
