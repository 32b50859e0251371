import { randomUUID } from 'node:crypto'
import { defineEvent, type EventContract } from '@steadfast/events'
import relay from '@steadfast/relay'
import { relayOnce } from '@steadfast/relay/testing'
import { startReplay, storeOn } from '@steadfast/store/internal'
import t from 'tap'
import { Type } from 'typebox'
import { deliver, retryOnce } from '../src/testing.ts'
import { build, groupOf, inboxRow, RESULTS, SIGNALS, TASKS } from './helper.ts'

const SECRET = 'Ada Lovelace of Marylebone'
/** Any piece of it: error messages like to quote a few characters. No digits, which a time or an id may have as well. */
const PIECES = /Ada|Lovel|Maryle/
const Person = defineEvent({
  type: 'shop.person.told',
  topic: TASKS,
  key: d => d.id,
  awaits: { from: 'worker' },
  data: Type.Object({ id: Type.String(), name: Type.String(), age: Type.Integer() })
})
const PersonDone = defineEvent({
  type: 'worker.person.done',
  topic: RESULTS,
  key: d => d.id,
  answers: Person,
  data: Type.Object({ id: Type.String(), name: Type.String() })
})

t.test('whatever becomes of an event, its data stand in no line of the log', async t => {
  const lines: string[] = []
  const { app, pool } = await build(
    t,
    app => {
      app.onEvent(Person, { retry: { quickRetries: 0, delaysMs: [0] } }, async (request, reply) => {
        const { id, name } = request.body
        if (id === 'refused') return reply.code(409).send({ code: 'NO', message: 'no' })
        if (id === 'failing') throw new Error('broken')
        await request.tx.query('insert into person (id, name) values ($1, $2)', [id, name])
        if (id === 'unheard of') await request.tx.query('insert into nobody values ($1)', [name])
        await reply.sendEvent(PersonDone, { id, name })
      })
    },
    {
      contracts: [PersonDone] as unknown as EventContract[],
      server: { logger: { level: 'trace', stream: { write: (line: string) => void lines.push(line) } } },
      before: async app => {
        await app.register(relay, { schedule: false })
      }
    }
  )
  await pool.query('create table person (id text primary key, name text)')
  const send = (id: string, options: object = {}) =>
    deliver(app, Person, { id, name: SECRET, age: 1 }, { replyTo: SIGNALS, ...options })
  const ids = { handled: randomUUID(), failing: randomUUID(), brokenJson: randomUUID() }
  t.match(await send('handled', { id: ids.handled }), { outcome: 'handled' })
  t.match(await send('handled', { id: ids.handled }), { outcome: 'duplicate' })
  t.match(await send('refused'), { outcome: 'refused' })
  t.match(await send('unheard of'), { outcome: 'set-aside' })
  t.match(await send('failing', { id: ids.failing }), { outcome: 'set-aside' })
  await retryOnce(app)
  t.match(await inboxRow(pool, ids.failing), { state: 'HELD' })
  for (const [raw, id] of [
    [`{"id":"a","age":1,"name":"${SECRET}`, ids.brokenJson],
    [`${SECRET}`, randomUUID()],
    [`{"id":"a","name":"${SECRET}"}`, randomUUID()],
    [`{"id":"a","name":"x","age":"${SECRET}"}`, randomUUID()]
  ] as const)
    t.match(await send('x', { raw: Buffer.from(raw), id }), { outcome: 'refused' })
  t.match(
    await deliver(app, { ...Person, type: 'shop.unknown' } as unknown as typeof Person, {
      id: 'x',
      name: SECRET,
      age: 1
    }),
    {
      outcome: 'set-aside'
    }
  )
  await relayOnce(app)
  await pool.query('drop table person')
  await startReplay(storeOn(pool), { id: randomUUID(), consumer: groupOf('worker'), from: new Date(0), actor: 'me' })
  await app.inbox.tick()
  await send('handled', { id: ids.handled })

  t.ok(
    lines.some(line => line.includes(ids.failing)),
    'it is a log'
  )
  t.same(
    lines.filter(line => PIECES.test(line)),
    []
  )
  const signals = await pool.query(`select payload::text from steadfast.event where type like 'steadfast.%'`)
  t.ok(signals.rows.length >= 5)
  t.notMatch(JSON.stringify(signals.rows), PIECES, 'nor in what the sender is told')
})
