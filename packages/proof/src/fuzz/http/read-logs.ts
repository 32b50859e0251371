import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

const FATAL = 60
const UNHANDLED = /unhandled|uncaught/i
// Handlers of notes fail on purpose, and so may deliveries that a replay hands out again.
const DELIVERY = '/steadfast/events/'

interface Line {
  level?: number
  msg?: string
  req?: { url?: string }
  err?: { code?: string; message?: string }
  res?: { statusCode?: number }
}

/** What a line of a service's log says that it must not say; undefined: nothing. */
function faultOf(text: string): string | undefined {
  let line: Line
  try {
    line = JSON.parse(text) as Line
  } catch {
    return `no line of a log: ${text}`
  }
  const { level = 0, msg = '', err, req, res } = line
  if (level >= FATAL || UNHANDLED.test(msg)) return text
  if (res?.statusCode !== 500 || req?.url?.startsWith(DELIVERY)) return undefined
  return err?.code?.startsWith('SF_') ? undefined : text
}

/** Lines of the services' logs that tell of a crash, of something nobody caught, or of a 500 without a code. */
export async function readLogs(dir: string): Promise<string[]> {
  const files = await readdir(join(dir, 'logs'))
  const texts = await Promise.all(files.map(file => readFile(join(dir, 'logs', file), 'utf8')))
  const found = new Map<string, string>()
  for (const [index, text] of texts.entries()) {
    for (const line of text.split('\n')) {
      const fault = line === '' ? undefined : faultOf(line)
      if (fault === undefined) continue
      // the first of its kind: what differs are times, ids and addresses
      const kind = fault.replace(/"(?:time|pid|reqId|req|url)":(?:"[^"]*"|\{[^}]*\}|\d+)|[0-9a-f-]{36}|\d+/g, '')
      if (!found.has(kind)) found.set(kind, `${files[index]}: ${fault.slice(0, 2000)}`)
    }
  }
  return [...found.values()]
}
