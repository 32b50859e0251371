import { countFigures, type Figures, type Ledgers } from './count-figures.ts'

const INTERVAL_MS = 1000

const line = (orders: number, f: Figures) =>
  `orders ${f.accepted}/${orders}  deployed ${f.deployed}  confirmed ${f.confirmed}  failed ${f.failed}  resent ${f.resent}  parked ${f.parked}  p50 ${f.p50Ms} ms  p99 ${f.p99Ms} ms`

/** Shows the figures once a second: in place on a terminal, as lines where changed when the output goes elsewhere. */
export function showProgress(
  ledgers: Ledgers,
  orders: number,
  out: NodeJS.WriteStream
): { stop(): void; note(text: string): void } {
  let shown = ''
  let busy = false
  const show = async () => {
    if (busy) return
    busy = true
    const text = await countFigures(ledgers).then(
      figures => line(orders, figures),
      () => 'the database is away'
    )
    busy = false
    if (text === shown) return
    shown = text
    out.write(out.isTTY ? `\r\u001b[2K${text}` : `${text}\n`)
  }
  const timer = setInterval(show, INTERVAL_MS)
  return {
    note(text) {
      out.write(out.isTTY ? `\r\u001b[2K${text}\n` : `${text}\n`)
      shown = ''
    },
    stop() {
      clearInterval(timer)
      if (out.isTTY) out.write('\n')
    }
  }
}
