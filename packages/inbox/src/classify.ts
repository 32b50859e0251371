import { errors } from '@steadfast/events'
import { type DeliveryError, sqlStateOf } from '@steadfast/store/internal'
import { isAboutRow } from './about-row.ts'
import {
  AnswerRaced,
  ConflictingAnswer,
  DataRefused,
  ForeignSource,
  IdReused,
  LateAnswer,
  NotCommitted,
  NotReached,
  OrphanAnswer,
  UnaskedSignal,
  Unstorable,
  WrongTopic
} from './errors.ts'
import { readRetryAfter } from './retry-after.ts'
import type { Attempt, DeliveryContext, Response } from './types.ts'

const IN_THE_WAY = new Set(['40001', '40P01', '55P03'])
const DOWN = /^(?:08|57P|53|58|25006)/
/** A statement took too long, the handler idled too long, or its transaction lasted too long. */
const TOO_LONG = new Set(['57014', '25P03', '25P04'])
const NO_DATABASE = new Set(['SF_OUTBOX_NO_CONNECTION', 'SF_OUTBOX_CONNECTION_LOST', 'SF_OUTBOX_OUTCOME_UNKNOWN'])
/** Codes of what is not believed to be what it says: it has no id of its own, and nobody is told. */
export const DISBELIEVED: ReadonlySet<string> = new Set(
  [errors.BadSignature, WrongTopic, ForeignSource, IdReused].map(E => new E().code)
)
/** Codes of these and of signals that nobody asked for: whoever writes to a topic can cause them. */
export const CLAIMS: ReadonlySet<string> = new Set([...DISBELIEVED, new UnaskedSignal().code])
/** Codes of what is not believed, and of answers that do not fit: they change nothing. */
export const ALARMS: ReadonlySet<string> = new Set([
  ...DISBELIEVED,
  ...[ConflictingAnswer, LateAnswer, OrphanAnswer].map(E => new E('').code)
])
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

/** Judges a run by its status, its error and how far it came. */
export function classify(context: DeliveryContext, response: Response): Attempt {
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

/** What is kept of an error: its message, code and stack, without what PostgreSQL cannot store. */
export function asDeliveryError(error: unknown, status?: number): DeliveryError {
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined }
  const code = codeOf(error)
  return {
    message: storable(message.slice(0, 4000)),
    ...(code !== undefined && { code: storable(code) }),
    ...(status !== undefined && { status }),
    ...(stack !== undefined && { stack: storable(stack.slice(0, 8000)) })
  }
}

/** Text without what PostgreSQL cannot store. */
export const storable = (text: string) => text.replaceAll('\u0000', '').replace(/\p{Surrogate}/gu, '\ufffd')

export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}
