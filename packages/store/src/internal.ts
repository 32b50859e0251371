// For the plugins of Steadfast, which come in the same version as this package. No promise is made to anybody else.

export type { ParkedMessage } from './channels.ts'
export { checkIdentifier, type Db, DEFAULT_SCHEMA, type Queryable, storeOn } from './db.ts'
export {
  boundedQueries,
  guardPool,
  type LendingPool,
  type LentClient,
  lendClient,
  type QueryBounds,
  type QueryConfig,
  type QueryResult,
  REACH_MS,
  shortTransaction,
  statementTimeoutOf,
  type TransactionBounds,
  watchPool
} from './pool.ts'
export { databaseProblem, endsConnection, sqlStateOf } from './sql-state.ts'
export { tellParked } from './tell-parked.ts'
export { beatRelay } from './verbs/event/beat-relay.ts'
export { type Answer, type AnswerFit, checkAnswer } from './verbs/event/check-answer.ts'
export { confirmEvent } from './verbs/event/confirm-event.ts'
export { extendDeadline } from './verbs/event/extend-deadline.ts'
export { type DueBatch, type DueEvent, type DueQuery, fetchDue, type TopicKey } from './verbs/event/fetch-due.ts'
export { type GivenUp, type GivingUp, giveUpTopics, type UnavailableTopic } from './verbs/event/give-up-topics.ts'
export { leaveRelay } from './verbs/event/leave-relay.ts'
export { type MarkResult, markPublished } from './verbs/event/mark-published.ts'
export { type FailedSend, noteFailing } from './verbs/event/note-failing.ts'
export { type OutboxStats, outboxStats } from './verbs/event/outbox-stats.ts'
export { type Parking, parkEvent } from './verbs/event/park-event.ts'
export { parkUnsendable } from './verbs/event/park-unsendable.ts'
export { type Purged, purgeEvents } from './verbs/event/purge-events.ts'
export { readClock } from './verbs/event/read-clock.ts'
export { replayAnswers } from './verbs/event/replay-answers.ts'
export type { EventStatus, EventSummary, StoredEvent } from './verbs/event/stored-event.ts'
export { supersedeAnswer } from './verbs/event/supersede-answer.ts'
export { type Swept, sweepEvents } from './verbs/event/sweep-events.ts'
export { turnUnanswered, UNANSWERED_TOPIC, UNANSWERED_TYPE, type Unanswered } from './verbs/event/turn-unanswered.ts'
export { writeEvents } from './verbs/event/write-events.ts'
export { beginIdempotent, type IdempotentRequest, type StoredAnswer } from './verbs/idempotency/begin-idempotent.ts'
export { purgeIdempotency } from './verbs/idempotency/purge-idempotency.ts'
export { storeAnswer } from './verbs/idempotency/store-answer.ts'
export { advanceReplay, type ReplayProgress } from './verbs/inbox/advance-replay.ts'
export { claimReaction } from './verbs/inbox/claim-reaction.ts'
export { claimReplay } from './verbs/inbox/claim-replay.ts'
export { claimRetry } from './verbs/inbox/claim-retry.ts'
export { countUnknown, type UnknownCount } from './verbs/inbox/count-unknown.ts'
export { currentReplay, type Replay, type ReplayAnswers } from './verbs/inbox/current-replay.ts'
export type { DeliverySummary } from './verbs/inbox/delivery-summary.ts'
export { endIgnored } from './verbs/inbox/end-ignored.ts'
export { findKnown, isSameEvent, type Known } from './verbs/inbox/find-known.ts'
export { findRunnable, type KnownTypes, type RunnableQuery } from './verbs/inbox/find-runnable.ts'
export { findUnknown } from './verbs/inbox/find-unknown.ts'
export { finishDelivery } from './verbs/inbox/finish-delivery.ts'
export {
  type DeliveryError,
  type DeliveryState,
  getDelivery,
  type NewDelivery,
  type StoredDelivery
} from './verbs/inbox/get-delivery.ts'
export { holdDelivery } from './verbs/inbox/hold-delivery.ts'
export { isReadAgain } from './verbs/inbox/is-read-again.ts'
export { type LeftUnknown, leaveUnknown } from './verbs/inbox/leave-unknown.ts'
export { probeInbox } from './verbs/inbox/probe-inbox.ts'
export { type InboxCursor, purgeInbox } from './verbs/inbox/purge-inbox.ts'
export { purgeReplays } from './verbs/inbox/purge-replays.ts'
export { receiveDelivery } from './verbs/inbox/receive-delivery.ts'
export { type ReceivedEvent, receivedSince } from './verbs/inbox/received-since.ts'
export { refuseDelivery } from './verbs/inbox/refuse-delivery.ts'
export { retryLater } from './verbs/inbox/retry-later.ts'
export { type SetAside, setAside } from './verbs/inbox/set-aside.ts'
export { turnUnknown } from './verbs/inbox/turn-unknown.ts'
export { countEvents, type EventCounts } from './verbs/operator/count-events.ts'
export { eraseData } from './verbs/operator/erase.ts'
export type { EventFilter } from './verbs/operator/event-filter.ts'
export { type EventFate, type Fate, fatesOf } from './verbs/operator/fates-of.ts'
export { type CausedEvent, findCaused } from './verbs/operator/find-caused.ts'
export { getEvent } from './verbs/operator/get-event.ts'
export { type AuditEntry, listAudit } from './verbs/operator/list-audit.ts'
export { listEvents, type Page } from './verbs/operator/list-events.ts'
export { type InboxFilter, listInbox } from './verbs/operator/list-inbox.ts'
export { listReplayItems, type ReplayItem } from './verbs/operator/list-replay-items.ts'
export { listReplays } from './verbs/operator/list-replays.ts'
export { type ReleasedDelivery, type ReleaseError, releaseDelivery } from './verbs/operator/release-delivery.ts'
export { type DeliveryAction, reprocessDelivery } from './verbs/operator/reprocess-delivery.ts'
export { resendEvent } from './verbs/operator/resend-event.ts'
export { resolveEvent } from './verbs/operator/resolve-event.ts'
export { type ReplayRequest, startReplay } from './verbs/operator/start-replay.ts'
export { stopReplay } from './verbs/operator/stop-replay.ts'
export type { CountedReplay, ReplayState, StoredReplay } from './verbs/operator/stored-replay.ts'
export { type EventCause, type EventStory, storyOf } from './verbs/operator/story-of.ts'
export { type DeliveryStory, storyOfDelivery } from './verbs/operator/story-of-delivery.ts'
export { type DeliveryData, viewDelivery } from './verbs/operator/view-delivery.ts'
export { type EventData, viewEvent } from './verbs/operator/view-event.ts'
export { writeAudit } from './verbs/operator/write-audit.ts'
