// Preloaded (--import) into every service under attack: its life hangs on the harness, its clock can be shifted, it ends
// by SIGKILL at a named point when told to (by a message, or from its start by CRASH_AT), and tells of uncaught errors.
import { subscribe } from 'node:diagnostics_channel'
import type { HarnessMessage, ServiceMessage } from './messages.ts'

const tell = (message: ServiceMessage) => void process.send?.(message)

/** A batch, mark or sweep of nothing is no point to end at. */
const isEmpty = (message: unknown) => {
  const lists = Object.values(message as object).filter(Array.isArray)
  return lists.length > 0 && lists.every(list => list.length === 0)
}

function crashAt(point: string, nth: number): void {
  let left = nth
  subscribe(point, message => {
    if (isEmpty(message)) return
    left -= 1
    if (left > 0) return
    process.kill(process.pid, 'SIGKILL')
    for (;;); // the signal may take a moment; nothing of this process happens meanwhile
  })
}

const RealDate = Date
const now = RealDate.now.bind(RealDate)
let shiftMs = 0

function ShiftedDate(this: unknown, ...args: [number?]): Date | string {
  if (new.target === undefined) return new RealDate(now() + shiftMs).toString()
  return Reflect.construct(RealDate, args.length === 0 ? [now() + shiftMs] : args, new.target)
}

function shiftClock(ms: number): void {
  shiftMs = ms
  if (Date !== RealDate) return
  ShiftedDate.prototype = RealDate.prototype
  const own = { now: () => now() + shiftMs, parse: RealDate.parse, UTC: RealDate.UTC }
  globalThis.Date = Object.assign(ShiftedDate, own) as unknown as DateConstructor
}

/** For a person who looks for the reason of a violation: sockets, timers, and what the service itself can say. */
function inspectSelf(): string {
  const report = process.report.getReport() as unknown as { libuv: { type: string; is_active: boolean }[] }
  const { inspectService } = globalThis as { inspectService?: () => unknown }
  const handles = report.libuv.filter(({ type, is_active }) => is_active && type !== 'loop')
  return JSON.stringify({ service: inspectService?.(), resources: process.getActiveResourcesInfo(), handles })
}

process.on('message', (message: HarnessMessage) => {
  if (message.kind === 'clock') return shiftClock(message.shiftMs)
  if (message.kind === 'inspect') return tell({ kind: 'inspection', text: inspectSelf() })
  crashAt(message.at, message.nth)
  tell({ kind: 'armed' })
})
process.once('disconnect', () => process.exit())
process.channel?.unref()
process.on('uncaughtExceptionMonitor', error => tell({ kind: 'uncaught', text: error?.stack ?? String(error) }))
if (process.env.CRASH_AT) crashAt(process.env.CRASH_AT, 1)
