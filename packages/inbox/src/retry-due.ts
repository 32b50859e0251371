import { type DeliveryError, findRunnable, retryLater, type StoredDelivery } from '@steadfast/store'
import { attempt } from './attempt.ts'
import { type Attempt, asDeliveryError } from './classify.ts'
import { hold, refuse } from './conclude.ts'
import type { Consumer } from './consumer.ts'
import type { Item } from './context.ts'
import { decodeData } from './decode-delivery.ts'
import { UnknownType } from './errors.ts'
import { jitter } from './process-item.ts'

const BATCH = 100

/** Runs the deliveries that were set aside and may run now, until none is left. Returns how many came to an end. */
export async function retryDue(consumer: Consumer): Promise<number> {
  let finished = 0
  while (consumer.gate.isOpen() && !consumer.closing.aborted) {
    const due = await findRunnable(consumer.db, consumer.name, BATCH)
    const ends = await Promise.all(due.map(row => consumer.chains.run(row, () => retryOne(consumer, row))))
    const ended = ends.filter(Boolean).length
    finished += ended
    // The next of the same keys are free now; if nothing moved, others have them.
    if (ended === 0) break
  }
  return finished
}

/** Runs one again. True when it is handled or refused. */
async function retryOne(consumer: Consumer, row: StoredDelivery): Promise<boolean> {
  const item = itemOf(consumer, row)
  if (item instanceof Error) {
    const status = (item as { statusCode?: number }).statusCode ?? 400
    return await refuse(consumer, { row, raw: row.body ?? Buffer.alloc(0) }, status, asDeliveryError(item, status))
  }
  if (!consumer.gate.isOpen()) return false
  const pass = await consumer.gate.enter()
  const result = await attempt(consumer, item)
  try {
    const ended = await conclude(consumer, item, row, result)
    if (result.kind === 'done' || result.kind === 'verdict') pass.good()
    else if (result.kind === 'world') pass.bad(result.error)
    else pass.neutral()
    return ended
  } catch (error) {
    pass.bad(error)
    consumer.log.error({ err: error, eventId: row.eventId }, 'retry not recorded')
    return false
  }
}

function itemOf(consumer: Consumer, row: StoredDelivery): Item | Error {
  const handler = consumer.registry.find(consumer.name, row.type)
  if (handler === undefined) return new UnknownType(row.type)
  const raw = row.body ?? Buffer.alloc(0)
  try {
    const data = decodeData(consumer.parseJson, raw)
    return { row, raw, data, deliveredAt: row.receivedAt, handler, stored: { attempts: row.attempts } }
  } catch (error) {
    return error as Error
  }
}

async function conclude(consumer: Consumer, item: Item, row: StoredDelivery, result: Attempt): Promise<boolean> {
  switch (result.kind) {
    case 'done':
      return result.how === 'handled'
    case 'verdict':
      return await refuse(consumer, item, result.status, result.error, result.alarm)
    case 'failure':
      return await failAgain(consumer, item, row, result)
    case 'wait':
      await later(consumer, row, row.attempts, result.ms ?? 5_000, result.error)
      return false
    case 'again':
      await later(consumer, row, row.attempts, jitter(500), result.error)
      return false
    default:
      return false
  }
}

async function failAgain(
  consumer: Consumer,
  item: Item,
  row: StoredDelivery,
  { status, error }: { status: number; error: DeliveryError }
): Promise<boolean> {
  const { retry, onExhausted } = item.handler.options
  const attempts = row.attempts + 1
  const delayMs = retry.delaysMs[attempts - 1]
  if (delayMs !== undefined) await later(consumer, row, attempts, jitter(delayMs), error)
  else if (onExhausted === 'refuse') return await refuse(consumer, item, status, error)
  else await hold(consumer, row, attempts, status, error)
  return false
}

async function later(consumer: Consumer, row: StoredDelivery, attempts: number, dueInMs: number, error: DeliveryError) {
  await retryLater(consumer.db, { consumer: row.consumer, eventId: row.eventId, attempts, dueInMs, error })
}
