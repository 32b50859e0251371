import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { buildEvent, defineEvent, type EventDefaults } from '@steadfast/events'
import type {} from '@steadfast/idempotency-key'
import type { EventRequest } from '@steadfast/inbox'
import type { RequestTransaction } from '@steadfast/outbox'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { Type } from 'typebox'
import { FORBIDDEN_TOPIC, MISSING_TOPIC, OWN_TAG } from '../../check/look-up.ts'

/** What the handler of a note does before it has its effect. */
const Behaviour = Type.Union([
  /** The effect at once. */
  Type.Literal('ok'),
  /** The effect after so long that others pile up behind it. */
  Type.Literal('slow'),
  /** Throws once in each process: a quick retry helps. */
  Type.Literal('flaky'),
  /** Answers 503 once in each process. */
  Type.Literal('busy'),
  /** Throws for two seconds: set aside, and its key with it. */
  Type.Literal('aside'),
  /** A verdict: 422. */
  Type.Literal('refuse'),
  /** Throws until a person has mended it: held. */
  Type.Literal('hold')
])

const data = Type.Object({ key: Type.String(), n: Type.Integer(), behaviour: Behaviour, writtenAt: Type.Integer() })
const note = {
  key: (written: { key: string }) => written.key,
  from: 'market',
  awaits: { from: 'deploy', receipt: true },
  data
}

/**
 * The part of the workload with several events per key, which orders have not: notes of one key are numbered under a
 * lock, and their order must arrive. Both forms of a note know the old version of deploy and the new one: the data of
 * the newer one only the new.
 */
export const NoteWritten = defineEvent({ ...note, type: 'proof.note.written', topic: 'proof.notes', dataVersion: '1' })
export const NewerNoteWritten = defineEvent({ ...NoteWritten, dataVersion: '2' })
/** A type that only the new version knows, on the topic and under the keys of the others. */
export const NoteAmended = defineEvent({ ...note, type: 'proof.note.amended', topic: 'proof.notes' })
/** A topic that only the new version reads. */
export const PinSet = defineEvent({ ...note, type: 'proof.pin.set', topic: 'proof.pins' })
/** For a topic that is missing. */
export const NoteLost = defineEvent({ ...note, type: 'proof.note.lost', topic: MISSING_TOPIC })
/** For a topic that its service may not write. */
export const NoteForbidden = defineEvent({ ...note, type: 'proof.note.forbidden', topic: FORBIDDEN_TOPIC })

const FORMS = {
  written: NoteWritten,
  newer: NewerNoteWritten,
  amended: NoteAmended,
  pin: PinSet,
  lost: NoteLost,
  forbidden: NoteForbidden
}
export type NoteForm = keyof typeof FORMS
const Form = Type.Union((Object.keys(FORMS) as NoteForm[]).map(form => Type.Literal(form)))

export type NoteBehaviour = 'ok' | 'slow' | 'flaky' | 'busy' | 'aside' | 'refuse' | 'hold'

/** Tables of the workload, one list for each service. `note_effect` has no key that would keep an effect single. */
export const NOTE_TABLES = {
  market: `create table note_key (key text primary key, n integer not null);
    create table note (tag text not null, key text not null, n integer not null, event_id uuid not null)`,
  deploy: `create table note_effect (applied bigint generated always as identity, event_id uuid not null, key text not null,
      n integer not null, at timestamptz not null default clock_timestamp());
    create table note_mended (event_id uuid primary key)`
}

interface Note {
  tag: string
  key: string
  behaviour: NoteBehaviour
  form: NoteForm
}

type Defaults = Pick<EventDefaults, 'confirmWithinMs' | 'maxSends'>

/** Numbers a note under the lock of its key and states it. Resolves with the id of its event. */
async function writeNote(
  app: FastifyInstance,
  tx: RequestTransaction,
  written: Note,
  defaults: Defaults
): Promise<string> {
  const { tag, key, behaviour, form } = written
  const { rows } = await tx.query<{ n: number }>(
    'insert into note_key as k (key, n) values ($1, 1) on conflict (key) do update set n = k.n + 1 returning n',
    [key]
  )
  const n = rows[0]?.n ?? 0
  const { source, replyTo } = app.outbox
  const event = buildEvent(FORMS[form], { key, n, behaviour, writtenAt: Date.now() }, { source, replyTo, defaults })
  await tx.query('insert into note (tag, key, n, event_id) values ($1, $2, $3, $4)', [tag, key, n, event.id])
  await app.outbox.control(tx).write(event)
  return event.id
}

/** `POST /notes` at market. */
export function takeNotes(app: FastifyInstance, defaults: Defaults): void {
  const body = Type.Object({ tag: Type.String(), key: Type.String(), behaviour: Behaviour, form: Form })
  app.post('/notes', { transaction: true, idempotencyKey: true, schema: { body } }, async (request, reply) => {
    const id = await writeNote(app, request.tx, request.body as Note, defaults)
    return reply.code(202).send({ id })
  })
}

const BUSY_MS = 6000

/**
 * `POST /bursts` at market: for some seconds it writes notes of its own, one transaction after the other, so that its
 * relay has no moment in which nothing is due.
 */
export function writeBursts(app: FastifyInstance, defaults: Defaults): void {
  const closing = new AbortController()
  app.addHook('preClose', async () => closing.abort())
  const { signal } = closing
  const pause = (ms: number) => sleep(ms, undefined, { signal, ref: false }).catch(() => {})
  const burst = async () => {
    const end = performance.now() + BUSY_MS
    for (let k = 0; performance.now() < end && !signal.aborted; k++) {
      const written: Note = { tag: `${OWN_TAG}${randomUUID()}`, key: `own-${k % 50}`, behaviour: 'ok', form: 'written' }
      // The database may be away: what was not committed was not written.
      await app.outbox.transaction(tx => writeNote(app, tx, written, defaults)).catch(() => pause(100))
      await pause(10)
    }
  }
  app.post('/bursts', { schema: { hide: true } }, async (_request, reply) => {
    void burst()
    return reply.code(202).send()
  })
}

const ASIDE_MS = 2000
const SLOW_MS = 400

/** deploy's handlers of notes: those of the new version, or those of the one before. */
export function applyNotes(app: FastifyInstance, version: 'old' | 'new'): void {
  const seen = new Set<string>()
  const isFirst = (id: string) => !seen.has(id) && seen.add(id).size > 0
  const misbehave = async ({ event, body, tx }: EventRequest<typeof NoteWritten.data>): Promise<number> => {
    const { behaviour, writtenAt } = body
    if (behaviour === 'refuse') return 422
    if (behaviour === 'busy' && isFirst(event.id)) return 503
    if (behaviour === 'slow') await tx.query(`select pg_sleep(${SLOW_MS / 1000})`)
    const fails =
      (behaviour === 'flaky' && isFirst(event.id)) ||
      (behaviour === 'aside' && Math.abs(Date.now() - writtenAt) < ASIDE_MS) ||
      (behaviour === 'hold' && !(await isMended(tx, event.id)))
    if (fails) throw new Error(`this note is ${behaviour}`)
    return 200
  }
  const retry = { quickRetries: 1, quickRetryDelayMs: 50, delaysMs: [500, 1000, 1500] }
  const apply = async (request: EventRequest<typeof data>, reply: FastifyReply) => {
    const status = await misbehave(request)
    if (status >= 300) return reply.code(status).send({ message: `a note that is ${request.body.behaviour}` })
    const { key, n } = request.body
    const { id, replay } = request.event
    // A person may have a handler run again; only then does it look whether it has had its effect.
    await request.tx.query(
      `insert into note_effect (event_id, key, n)
       select $1::uuid, $2, $3 where not $4 or not exists (select from note_effect where event_id = $1::uuid)`,
      [id, key, n, replay]
    )
    return reply.code(200).send()
  }
  app.onEvent(version === 'old' ? NoteWritten : NewerNoteWritten, { retry }, apply)
  if (version === 'old') return
  app.onEvent(NoteAmended, { retry }, apply)
  app.onEvent(PinSet, { retry }, apply)
}

async function isMended(
  tx: { query(text: string, values: unknown[]): Promise<{ rows: unknown[] }> },
  id: string
): Promise<boolean> {
  return (await tx.query('select from note_mended where event_id = $1', [id])).rows.length > 0
}
