import type { NewDelivery } from '@steadfast/store/internal'
import { clip } from './believe.ts'
import { channels } from './channels.ts'
import { CLAIMS } from './delivery-error.ts'
import type { Consumer } from './types.ts'

/** Says what a person must see. What others can cause by a message is a warning, of which each source has a share. */
export function raise(consumer: Consumer, code: string, row: NewDelivery, message: string): void {
  const { eventId } = row
  if (channels.alarm.hasSubscribers) channels.alarm.publish({ code, eventId, message })
  const about = { code, eventId, type: clip(row.type), topic: row.topic, source: clip(row.source) }
  if (!CLAIMS.has(code)) {
    consumer.log.error(about, message)
    return
  }
  const { write, omitted } = consumer.refusalLines(row.source)
  if (write) consumer.log.warn({ ...about, ...(omitted > 0 && { omitted }) }, message)
}
