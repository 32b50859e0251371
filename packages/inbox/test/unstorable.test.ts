import { createHash, randomUUID } from 'node:crypto'
import t from 'tap'
import { deliver, retryOnce } from '../src/testing.ts'
import { build, effects, events, inboxRow, insertEffect, Note, SIGNALS, Task } from './helper.ts'

// a busy machine takes its time
t.setTimeout(240_000)

/** The rule of an owner who takes no large bodies. It counts how often it was broken, which no rollback takes back. */
const RULE = `
  create sequence tries;
  create function refuse_large() returns trigger language plpgsql as $$
  begin
    perform nextval('tries');
    raise exception 'no body of % bytes', octet_length(new.body) using errcode = '23514';
  end $$;
  create trigger no_large before insert or update on steadfast.inbox
    for each row when (octet_length(new.body) > 150) execute function refuse_large();`

const large = (id: string, n: number) => Buffer.from(`{"id":"${id}",${' '.repeat(200)}"n":${n}}`)
const stub = (raw: Buffer) =>
  JSON.stringify({ sha256: createHash('sha256').update(raw).digest('hex'), bytes: raw.length })

t.test(
  'what the database refuses to store is refused without its body after three tries, and its key goes on',
  async t => {
    const { app, pool } = await build(t, server => {
      server.onEvent(Task, async request => {
        if (request.body.n === 1) throw new Error('broken')
        await insertEffect(request.tx, request.body)
      })
    })
    await pool.query(RULE)
    const tries = async () => {
      const { rows } = await pool.query(
        'select case when is_called then last_value else 0 end::int as tries from tries'
      )
      await pool.query('alter sequence tries restart')
      return rows[0].tries
    }
    const error = { code: 'SF_INBOX_UNSTORABLE', status: 422 }
    const message = (raw: Buffer) => `PostgreSQL cannot store it as it came: no body of ${raw.length} bytes`

    for (const { name, contract, raw, told } of [
      { name: 'set aside, since its handler fails', contract: Task, raw: large('aside', 1), told: 1 },
      { name: 'left for a process that knows its type', contract: Note, raw: large('unknown', 1), told: 0 },
      { name: 'refused, since it does not fit its contract', contract: Task, raw: large('unfit', 0.5), told: 1 },
      { name: 'refused, since it is no JSON', contract: Task, raw: Buffer.alloc(300, 'x'), told: 1 }
    ]) {
      await t.test(name, async t => {
        const id = randomUUID()
        const event = { id: 'k', n: 1 }
        const outcome = await deliver(app, contract, event, { id, raw, replyTo: SIGNALS })
        t.equal(outcome.outcome, 'refused')
        t.equal(await tries(), 3)
        const row = await inboxRow(pool, id)
        t.match(row, { state: 'REFUSED', outcome: 422, error: { ...error, message: message(raw) } })
        t.equal(row?.body?.toString(), stub(raw), 'its hash and size are kept')
        const signals = await events(pool, 'steadfast.refused')
        const codes = signals.filter(s => s.causation_id === id).map(s => s.payload.code)
        t.strictSame(codes, told ? [error.code] : [], 'its sender is told, if it may be')
        t.match(await deliver(app, contract, event, { id, raw }), { outcome: 'duplicate' })
        await tries()
        t.match(await deliver(app, Task, { id: 'k', n: 2 }), { outcome: 'handled' })
      })
    }
    t.strictSame(await effects(pool), [2, 2, 2, 2])
    t.equal(app.inbox.health().ready, true, 'no group has paused')
  }
)

t.test(
  'what runs again and cannot be set aside once more is refused likewise, with the body that is stored',
  async t => {
    const { app, pool } = await build(t, server => {
      server.onEvent(Task, { retry: { quickRetries: 0, delaysMs: [0, 0] } }, async ({ body }) => {
        if (body.n === 1) throw new Error('broken')
      })
    })
    const id = randomUUID()
    t.match(await deliver(app, Task, { id: 'k', n: 1 }, { id }), { outcome: 'set-aside' })
    t.match(await deliver(app, Task, { id: 'k', n: 2 }), { outcome: 'blocked' })
    await pool.query('alter table steadfast.inbox add constraint one_try check (attempts < 2)')
    t.equal(await retryOnce(app), 2, 'it, and the one behind it')
    t.match(await inboxRow(pool, id), { state: 'REFUSED', outcome: 422, error: { code: 'SF_INBOX_UNSTORABLE' } })
    t.equal((await inboxRow(pool, id))?.body?.toString(), JSON.stringify({ id: 'k', n: 1 }))
  }
)

t.test(
  'a row that the database refuses before the handler is refused, with its body if that can be stored',
  async t => {
    let runs = 0
    const { app, pool } = await build(t, server => {
      server.onEvent(Task, async () => void runs++)
    })
    await pool.query(`alter table steadfast.inbox add constraint no_effects check (state <> 'DONE')`)
    const id = randomUUID()
    t.match(await deliver(app, Task, { id: 'k', n: 1 }, { id, replyTo: SIGNALS }), { outcome: 'refused', status: 422 })
    t.match(await inboxRow(pool, id), { state: 'REFUSED', outcome: 422, error: { code: 'SF_INBOX_UNSTORABLE' } })
    t.equal((await inboxRow(pool, id))?.body?.toString(), JSON.stringify({ id: 'k', n: 1 }))
    t.equal((await events(pool, 'steadfast.refused')).length, 1)
    t.equal(runs, 0)
    t.equal(app.inbox.health().ready, true, 'the group has not paused')
  }
)
