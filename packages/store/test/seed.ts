// Rows for tests, written straight into the tables in whatever state a test needs.
import { randomBytes } from 'node:crypto'
import { buildEvent, defineEvent } from '@steadfast/events'
import type { Pool } from 'pg'
import { Type } from 'typebox'
import { storeOn } from '../src/db.ts'
import { writeEvents } from '../src/verbs/event/write-events.ts'

export const Asked = defineEvent({
  type: 'market.asked',
  topic: 'asked',
  key: data => data.key,
  awaits: { from: 'deploy' },
  data: Type.Object({ key: Type.String(), text: Type.Optional(Type.String()) })
})

export const Told = defineEvent({
  type: 'market.told',
  topic: 'told',
  key: data => data.key,
  data: Type.Object({ key: Type.String() })
})

export const Answered = defineEvent({
  type: 'deploy.answered',
  topic: 'answered',
  answers: Asked,
  key: data => data.key,
  data: Type.Object({ key: Type.String() })
})

type Columns = Record<string, unknown>

/** An id made so many ms ago. */
export function idFrom(agoMs: number): string {
  const time = (Date.now() - agoMs).toString(16).padStart(12, '0')
  const random = randomBytes(10).toString('hex')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-8${random.slice(3, 6)}-${random.slice(6, 18)}`
}

async function set(pool: Pool, table: string, where: string, columns: Columns): Promise<void> {
  const names = Object.keys(columns)
  if (names.length === 0) return
  const list = names.map((name, i) => `${name} = $${i + 1}`).join(', ')
  await pool.query(`update steadfast.${table} set ${list} where ${where}`, Object.values(columns))
}

/** One event of market, `agoMs` old, with columns as given. */
export async function seedEvent(
  pool: Pool,
  columns: Columns = {},
  {
    agoMs = 0,
    contract = Asked as typeof Asked | typeof Told | typeof Answered,
    text = undefined as string | undefined,
    source = 'market',
    inReplyTo = undefined as string | undefined
  } = {}
): Promise<string> {
  const { key = 'k', id = idFrom(agoMs), ...rest } = columns
  const options = inReplyTo === undefined ? {} : { inReplyTo }
  const built = buildEvent(
    contract as typeof Asked,
    { key: String(key), ...(text === undefined ? {} : { text }) },
    { source },
    options
  )
  await writeEvents(storeOn(pool), [{ ...built, id: String(id) }])
  await set(pool, 'event', `id = '${id}'`, { created_at: new Date(Date.now() - agoMs), ...rest })
  return String(id)
}

/** One delivery at deploy, with columns as given. */
export async function seedDelivery(pool: Pool, columns: Columns = {}): Promise<string> {
  const { consumer = 'deploy', event_id = idFrom(0), state = 'DONE', ...rest } = columns
  await pool.query(
    `insert into steadfast.inbox (consumer, event_id, state, key, topic, position, source, type, reply_to, envelope, body)
     values ($1, $2, $3, 'k', 'asked', '0:1', 'market', 'market.asked', 'market.signals', '{}', case when $3 = 'DONE' then null else '{"key":"k"}'::bytea end)`,
    [consumer, event_id, state]
  )
  await set(pool, 'inbox', `consumer = '${consumer}' and event_id = '${event_id}'`, rest)
  return String(event_id)
}
