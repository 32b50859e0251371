import { channel } from 'node:diagnostics_channel'
import type { NewDelivery } from '@steadfast/store/internal'

/** What every message says of the delivery it is about. */
export interface DeliveryMessage {
  /** The event's id. */
  id: string
  /** The consumer group. */
  consumer: string
  type: string
  key: string
}

/** `steadfast:inbox:alarm`: something that a person must see, and that the machine leaves as it is. */
export interface AlarmMessage {
  code: string
  eventId: string
  message: string
}

/** Seams of the inbox, published synchronously; free when nobody listens. */
export const channels = {
  /** A delivery begins to be worked on. */
  delivery: channel('steadfast:inbox:delivery'),
  /** The handler has answered below 300; its transaction is still open. */
  beforeCommit: channel('steadfast:inbox:before-commit'),
  /** Its transaction is committed, the offset not yet advanced. */
  afterCommit: channel('steadfast:inbox:after-commit'),
  /** Just before the transport is told, whatever the outcome. */
  deliveryDone: channel('steadfast:inbox:delivery-done'),
  setAside: channel('steadfast:inbox:set-aside'),
  held: channel('steadfast:inbox:held'),
  refused: channel('steadfast:inbox:refused'),
  alarm: channel('steadfast:inbox:alarm')
}

export const aboutRow = (row: NewDelivery): DeliveryMessage => ({
  id: row.eventId,
  consumer: row.consumer,
  type: row.type,
  key: row.key
})
