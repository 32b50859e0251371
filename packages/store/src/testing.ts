import type { EventContract } from '@steadfast/events'
import type { Static, TSchema } from 'typebox'
import { DEFAULT_SCHEMA, type Queryable, storeOn } from './db.ts'
import { eventColumns, type StoredEvent } from './verbs/event/stored-event.ts'

/**
 * Finds the one event of a contract whose data contain `partial`, through any handle: give the open transaction to see
 * what it will commit (after `tx.flush()`), a pool to see what was committed.
 *
 * @param partial members that the data must have; nested objects likewise, arrays as JSON containment has it
 * @returns the event's row
 * @throws Error when there is none, or more than one; its message lists the events of that contract that are there
 */
export async function expectEvent<S extends TSchema>(
  handle: Queryable,
  contract: Pick<EventContract<S, string>, 'type'>,
  partial: DeepPartial<Static<S>> = {} as DeepPartial<Static<S>>,
  { schema = DEFAULT_SCHEMA }: { schema?: string } = {}
): Promise<StoredEvent> {
  const db = storeOn(handle, schema)
  const rows = await db.rows<StoredEvent & { matches: boolean }>(
    `select ${eventColumns('e')}, e.payload::jsonb @> $2::jsonb as matches from ${schema}.event e where e.type = $1 order by e.seq desc limit 100`,
    [contract.type, JSON.stringify(partial)]
  )
  const [found, ...more] = rows.filter(row => row.matches)
  if (found === undefined || more.length > 0) {
    const what = found === undefined ? 'no event' : `${more.length + 1} events instead of one`
    const list = rows.map(row => `\n  ${row.id} ${row.status} key ${row.key}: ${row.payload}`).join('')
    throw new Error(
      `${what} ${contract.type} with ${JSON.stringify(partial)}; there ${list === '' ? 'is none of this type' : `are:${list}`}`
    )
  }
  const { matches: _, ...event } = found
  return event
}

type DeepPartial<T> = T extends readonly unknown[] ? T : T extends object ? { [K in keyof T]?: DeepPartial<T[K]> } : T
