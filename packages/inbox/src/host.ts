import type { EventContract, NewEvent, Transport } from '@steadfast/events'
import type { BoundedPool, Queryable } from '@steadfast/store'

/** What the inbox uses of the outbox's transaction. */
export interface DeliveryTransaction extends Queryable {
  readonly state: 'idle' | 'open' | 'committed' | 'rolledBack' | 'broken'
  readonly error?: unknown
  write(event: NewEvent): Promise<void>
  beforeCommit(fn: (answer: unknown) => void | Promise<void>): void
  rollback(): Promise<void>
  causedBy(cause: {
    eventId: string
    eventType: string
    correlationId: string | undefined
    headers: Record<string, string>
  }): void
  intercept(fn: (event: NewEvent) => NewEvent | undefined): void
}

/** What the inbox uses of the plugins registered before it: coupled by decorators, not by imports. */
export interface Host {
  outbox: {
    source: string
    schema: string
    pool: Queryable & BoundedPool & { options?: { max?: number } }
    replyTo: string
    contracts: ReadonlyMap<string, EventContract>
    sends(type: string): boolean
    transaction<T>(fn: (tx: Pick<DeliveryTransaction, 'query' | 'write'>) => Promise<T>): Promise<T>
  }
  transport: Transport
}
