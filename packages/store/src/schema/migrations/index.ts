import type { Migration } from '@steadfast/events/migrations'
import { tables } from './001-tables.ts'
import { orderUnit } from './002-order-unit.ts'
import { sweep } from './003-sweep.ts'
import { replays } from './004-replays.ts'
import { topics } from './005-topics.ts'
import { awaitsReceipt } from './006-awaits-receipt.ts'
import { reactions } from './007-reactions.ts'
import { reactionsIndex } from './008-reactions-index.ts'
import { erasure } from './009-erasure.ts'

/** All steps in order. Append only. */
export const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: 'tables', sql: tables },
  { version: 2, name: 'order-unit', sql: orderUnit },
  { version: 3, name: 'sweep', compatibleFrom: 2, sql: sweep },
  { version: 4, name: 'replays', compatibleFrom: 2, sql: replays },
  { version: 5, name: 'topics', compatibleFrom: 2, sql: topics },
  { version: 6, name: 'awaits-receipt', compatibleFrom: 1, sql: awaitsReceipt },
  { version: 7, name: 'reactions', compatibleFrom: 1, sql: reactions },
  { version: 8, name: 'reactions-index', compatibleFrom: 1, concurrently: reactionsIndex },
  { version: 9, name: 'erasure', compatibleFrom: 1, sql: erasure }
]
