// A migrated database and deliveries for the tests of the inbox's statements.
import { randomUUID } from 'node:crypto'
import { type Teardown, testDatabase } from '@steadfast/dev-services'
import { storeOn } from '../src/db.ts'
import { migrate } from '../src/schema/migrate.ts'
import type { NewDelivery } from '../src/verbs/inbox/get-delivery.ts'

export async function store(t: Teardown) {
  const { pool, url } = await testDatabase(t)
  await migrate(pool)
  return { pool, url, db: storeOn(pool) }
}

export function delivery(part: Partial<NewDelivery> = {}): NewDelivery {
  const eventId = part.eventId ?? randomUUID()
  return {
    consumer: 'deploy',
    eventId,
    key: 'k',
    topic: 'asked',
    position: '0:1',
    source: 'market',
    type: 'market.asked',
    replyTo: 'market.signals',
    causationId: null,
    correlationId: 'c',
    envelope: { id: eventId, source: 'market', type: 'market.asked', attempt: 1, replay: false, headers: {} },
    ...part
  }
}

export const broken = { message: 'broken', code: 'BROKEN', status: 500 }
export const body = Buffer.from('{"key":"k"}')
