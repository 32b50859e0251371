import { errors } from '@steadfast/events'
import type { DeliveryError } from '@steadfast/store/internal'
import {
  ConflictingAnswer,
  ForeignSource,
  IdReused,
  LateAnswer,
  OrphanAnswer,
  UnaskedSignal,
  WrongTopic
} from './errors.ts'

/** Codes of what is not believed to be what it says: it has no id of its own, and nobody is told. */
export const DISBELIEVED: ReadonlySet<string> = new Set(
  [errors.BadSignature, WrongTopic, ForeignSource, IdReused].map(E => new E().code)
)
/** Codes of these and of signals that nobody asked for: whoever writes to a topic can cause them. */
export const CLAIMS: ReadonlySet<string> = new Set([...DISBELIEVED, new UnaskedSignal().code])
/** Codes of what is not believed, and of answers that do not fit: they change nothing. */
export const ALARMS: ReadonlySet<string> = new Set([
  ...DISBELIEVED,
  ...[ConflictingAnswer, LateAnswer, OrphanAnswer].map(E => new E('').code)
])

/** What is kept of an error: its message, code and stack, without what PostgreSQL cannot store. */
export function asDeliveryError(error: unknown, status?: number): DeliveryError {
  const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined }
  const code = codeOf(error)
  return {
    message: storable(message.slice(0, 4000)),
    ...(code !== undefined && { code: storable(code) }),
    ...(status !== undefined && { status }),
    ...(stack !== undefined && { stack: storable(stack.slice(0, 8000)) })
  }
}

/** Text without what PostgreSQL cannot store. */
export const storable = (text: string) => text.replaceAll('\u0000', '').replace(/\p{Surrogate}/gu, '\ufffd')

export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}
