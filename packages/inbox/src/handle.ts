import type { TransactionControl } from '@steadfast/outbox'
import {
  type CausedEvent,
  checkAnswer,
  claimReaction,
  claimReplay,
  claimRetry,
  confirmEvent,
  type Db,
  findCaused,
  findKnown,
  finishDelivery,
  type Replay,
  receiveDelivery,
  setAside,
  storeOn,
  supersedeAnswer
} from '@steadfast/store/internal'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { answeredBy, signalsTo } from './answers.ts'
import { clip } from './believe.ts'
import { aboutRow, channels } from './channels.ts'
import { isUnanswered } from './context.ts'
import { answerDuplicate, isSameRecord } from './duplicate.ts'
import {
  AnswerRaced,
  ConflictingAnswer,
  ForeignSource,
  IdReused,
  LateAnswer,
  NoRedirect,
  OrphanAnswer
} from './errors.ts'
import { receiptSignal, signalContract } from './signals.ts'
import type { Consumer, DeliveredEvent, DeliveryContext } from './types.ts'

export type UserHandler = (this: FastifyInstance, request: FastifyRequest, reply: FastifyReply) => unknown

/** Runs in the route of a delivery: takes the delivery in the request's transaction, then lets the handler do its work. */
export async function runHandler(
  context: DeliveryContext,
  server: FastifyInstance,
  request: FastifyRequest,
  reply: FastifyReply,
  handler: UserHandler
): Promise<unknown> {
  const tx = context.consumer.host.outbox.control(request.tx)
  const db = storeOn(request.tx, context.consumer.schema)
  context.tx = tx
  context.stage = 'inbox'
  context.ended = await take(context, db, tx)
  if (context.ended !== undefined) return reply.code(200).send()
  await fitUnanswered(context, db)
  await fitAnswer(context, db, tx)
  if (context.ended !== undefined) return reply.code(200).send()
  prepareCommit(context, db, tx)
  context.stage = 'handler'
  return await callHandler(server, request, reply, handler)
}

/** A handler that sends without returning the reply is waited for as well. */
async function callHandler(
  server: FastifyInstance,
  request: FastifyRequest,
  reply: FastifyReply,
  handler: UserHandler
) {
  let sent = false
  const { send } = reply
  reply.send = function sendOnce(this: FastifyReply, payload) {
    sent = true
    return send.call(this, payload)
  } as typeof send
  const returned = handler.call(server, request, reply)
  const isAsync = typeof (returned as PromiseLike<unknown> | undefined)?.then === 'function'
  const value = await returned
  return value === undefined && (sent || !isAsync) ? reply : value
}

/** Makes the delivery this transaction's. What is returned ends it without the handler. */
async function take(context: DeliveryContext, db: Db, tx: TransactionControl): Promise<DeliveryContext['ended']> {
  const { row, stored, raw, handler } = context.item
  const { consumer, eventId } = row
  const { lockTimeoutMs, timeoutMs } = handler.options
  if (stored) return (await claimRetry(db, { consumer, eventId, lockTimeoutMs, timeoutMs })) ? undefined : 'lost'
  if (await receiveDelivery(db, row, lockTimeoutMs, timeoutMs)) return undefined
  const found = await findKnown(db, row)
  if (found.fit === 'reused') throw new IdReused(eventId, clip(row.source), row.type)
  if (found.fit === 'other') {
    context.item.row = { ...row, eventId: found.eventId }
    return await take(context, db, tx)
  }
  if (found.fit === 'none') return (await setAside(db, row, { state: 'BLOCKED', body: raw })) ? 'blocked' : 'lost'
  const { known } = found
  if (!isSameRecord(context.consumer, known, row)) {
    await answerDuplicate(context.consumer, db, tx, known)
    return 'duplicate'
  }
  const replay = context.consumer.replays.current
  if (replay === undefined || known.state !== 'DONE') return 'skipped'
  if (!(await claimReplay(db, { replayId: replay.id, consumer, eventId: known.eventId }))) return 'skipped'
  context.replay = replay
  context.item.row = { ...row, eventId: known.eventId }
  await keepIds(context.consumer, db, tx, row.envelope.id, replay)
  if (replay.answers === 'stored') await answerDuplicate(context.consumer, db, tx, known)
  return undefined
}

/**
 * In a replay: the nth event of a type is the nth one that was sent then. It keeps its id and is not written again,
 * unless it is an answer and answers are corrected: then it is a new event that supersedes the one of then, if need be
 * one of another type, for the correction may be that the answer is another one.
 */
async function keepIds(
  { host }: Consumer,
  db: Db,
  tx: TransactionControl,
  eventId: string,
  { answers }: Replay
): Promise<void> {
  const sent = await findCaused(db, { causationId: eventId, source: host.outbox.source })
  const takeFirst = (matches: (event: CausedEvent) => boolean) => {
    const at = sent.findIndex(matches)
    return at === -1 ? undefined : sent.splice(at, 1)[0]
  }
  tx.intercept(event => {
    const before = takeFirst(({ type }) => type === event.type)
    if (event.isAnswer && answers === 'corrected') {
      const old = before ?? takeFirst(({ type, isAnswer }) => isAnswer && signalContract(type) === undefined)
      if (old !== undefined) event.supersedes = old.id
      return event
    }
    if (before === undefined) return event
    event.id = before.id
    return undefined
  })
}

/** What tells of an unanswered request is for nobody any more when it was answered since, or changed once more. */
async function fitUnanswered(context: DeliveryContext, db: Db): Promise<void> {
  const { id, unanswered } = context.item.row.envelope as DeliveredEvent
  if (!isUnanswered(context.item.row) || unanswered === undefined) return
  if ((await claimReaction(db, { id, unanswered })) === 'outdated') context.ended = 'skipped'
}

/** An answer confirms the event it names, if that still waits for one, or if it comes in the place of the one that has. */
async function fitAnswer(context: DeliveryContext, db: Db, tx: TransactionControl): Promise<void> {
  const { row } = context.item
  const answersType = answeredBy(context.consumer, row)
  const { causationId, eventId: answerId, source } = row
  const { supersedes } = row.envelope
  if (context.replay || answersType === undefined || causationId === null) return
  const answer = { causationId, answerId, source, answersType, supersedes }
  const fit = await checkAnswer(db, answer)
  if (fit === 'conflict') throw new ConflictingAnswer(causationId)
  if (fit === 'late') throw new LateAnswer(causationId)
  if (fit === 'foreign') throw new ForeignSource(row.type, row.topic, clip(source))
  if (fit === 'unknown') throw new OrphanAnswer(causationId)
  // Confirmed by this very answer, whose row retention has removed: handled before.
  if (fit === 'same') context.ended = 'duplicate'
  if (fit !== 'open' && fit !== 'reacted' && fit !== 'supersedes') return
  const reacted = fit === 'reacted'
  context.afterUnanswered = reacted
  tx.beforeCommit(async () => {
    const took =
      fit === 'supersedes'
        ? await supersedeAnswer(db, answer)
        : (await confirmEvent(db, { ...answer, reacted })) !== 'unchanged'
    if (!took) throw new AnswerRaced(causationId)
  })
}

/** What belongs to the handler's transaction: the status, the receipt, and whose effects its events are. */
function prepareCommit(context: DeliveryContext, db: Db, tx: TransactionControl): void {
  const { row, handler } = context.item
  const { headers } = row.envelope
  const { eventId } = row
  tx.causedBy({ eventId: row.envelope.id, eventType: row.type, correlationId: row.correlationId ?? undefined, headers })
  const receipt = handler.contract.awaits?.receipt === true && !context.replay && signalsTo(context.consumer, row)
  tx.beforeCommit(async answer => {
    const status = (answer as { statusCode?: number } | undefined)?.statusCode ?? 200
    if (status >= 300) throw new NoRedirect(status)
    context.status = status
    if (status !== 200 && !context.replay) await finishDelivery(db, row.consumer, eventId, status)
    const signal = receipt ? receiptSignal(row, context.consumer.host.outbox.source) : undefined
    if (signal !== undefined) await tx.write(signal)
    if (channels.beforeCommit.hasSubscribers) channels.beforeCommit.publish(aboutRow(row))
  })
}
