import { buildEvent, defineEvent } from '@steadfast/events'
import type {} from '@steadfast/idempotency-key'
import type { EventRequest } from '@steadfast/inbox'
import type {} from '@steadfast/outbox'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { Type } from 'typebox'

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

/**
 * The part of the workload with several events per key, which orders have not: notes of one key are numbered under a
 * lock, and their order must arrive.
 */
export const NoteWritten = defineEvent({
  type: 'proof.note.written',
  topic: 'proof.notes',
  key: data => data.key,
  awaits: { from: 'deploy', receipt: true },
  data: Type.Object({ key: Type.String(), n: Type.Integer(), behaviour: Behaviour, writtenAt: Type.Integer() })
})

export type NoteBehaviour = 'ok' | 'slow' | 'flaky' | 'busy' | 'aside' | 'refuse' | 'hold'

/** Tables of the workload, one list for each service. `note_effect` has no key that would keep an effect single. */
export const NOTE_TABLES = {
  market: `create table note_key (key text primary key, n integer not null);
    create table note (tag text not null, key text not null, n integer not null, event_id uuid not null)`,
  deploy: `create table note_effect (applied bigint generated always as identity, event_id uuid not null, key text not null,
      n integer not null, at timestamptz not null default clock_timestamp());
    create table note_mended (event_id uuid primary key)`
}

/** `POST /notes` at market. */
export function takeNotes(app: FastifyInstance, defaults: { confirmWithinMs: number; maxSends: number }): void {
  const body = Type.Object({ tag: Type.String(), key: Type.String(), behaviour: Behaviour })
  app.post('/notes', { transaction: true, idempotencyKey: true, schema: { body } }, async (request, reply) => {
    const { tag, key, behaviour } = request.body as { tag: string; key: string; behaviour: NoteBehaviour }
    const { rows } = await request.tx.query<{ n: number }>(
      'insert into note_key as k (key, n) values ($1, 1) on conflict (key) do update set n = k.n + 1 returning n',
      [key]
    )
    const note = { key, n: rows[0]?.n ?? 0, behaviour, writtenAt: Date.now() }
    const { source, replyTo } = app.outbox
    const event = buildEvent(NoteWritten, note, { source, replyTo, defaults })
    await request.tx.query('insert into note (tag, key, n, event_id) values ($1, $2, $3, $4)', [
      tag,
      key,
      note.n,
      event.id
    ])
    await request.tx.write(event)
    return reply.code(202).send({ id: event.id })
  })
}

const ASIDE_MS = 2000
const SLOW_MS = 400

/** deploy's handler of notes. */
export function applyNotes(app: FastifyInstance): void {
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
  app.onEvent(NoteWritten, { retry }, async (request, reply: FastifyReply) => {
    const status = await misbehave(request)
    if (status >= 300) return reply.code(status).send({ message: `a note that is ${request.body.behaviour}` })
    const { key, n } = request.body
    await request.tx.query('insert into note_effect (event_id, key, n) values ($1, $2, $3)', [request.event.id, key, n])
    return reply.code(200).send()
  })
}

async function isMended(
  tx: { query(text: string, values: unknown[]): Promise<{ rows: unknown[] }> },
  id: string
): Promise<boolean> {
  return (await tx.query('select from note_mended where event_id = $1', [id])).rows.length > 0
}
