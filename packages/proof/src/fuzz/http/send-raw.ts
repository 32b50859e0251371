import { connect } from 'node:net'
import { ANSWER_MS, type Target } from './ask.ts'
import type { Exchange } from './exchange.ts'

/** Bytes for a socket. */
export interface RawMessage {
  name: string
  bytes: Buffer
  /**
   * `answer` (default): the server must answer. `end`: the client says that this was all, and the server may close
   * instead. `nothing`: the client goes away once it has sent the bytes, and nobody sees an answer.
   */
  expects?: 'answer' | 'end' | 'nothing'
}

const HEAD_END = '\r\n\r\n'

/** Status, content type and body of the first answer in what came, a character a byte. */
function parseAnswer(text: string) {
  const end = text.indexOf(HEAD_END)
  const head = end === -1 ? text : text.slice(0, end)
  const status = /^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]
  const contentType = /\r\ncontent-type: *([^\r]*)/i.exec(head)?.[1] ?? ''
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  const rest = end === -1 ? '' : text.slice(end + HEAD_END.length)
  // without a length there is no body worth waiting for
  const expected = Number(length ?? 0)
  const body = Buffer.from(rest, 'latin1').subarray(0, expected).toString()
  const isComplete = end !== -1 && rest.length >= expected
  return { status: status === undefined ? undefined : Number(status), contentType, body, isComplete }
}

/** Writes bytes as they are, and reads the first answer. */
export function sendRaw({ service, url }: Target, { name, bytes, expects = 'answer' }: RawMessage): Promise<Exchange> {
  const { hostname, port } = new URL(url)
  const [method = '', path = ''] = bytes.subarray(0, 300).toString('latin1').split('\r\n', 1)[0]?.split(' ') ?? []
  const again = `base64 -d <<< '${bytes.toString('base64')}' | nc -N ${hostname} ${port}`
  const asked = { service, by: `raw: ${name}`, method, path, sent: undefined, again }
  return new Promise(resolve => {
    const socket = connect(Number(port), hostname)
    let text = ''
    const done = () => {
      clearTimeout(timer)
      socket.destroy()
      const { status, contentType, body } = parseAnswer(text)
      resolve({ ...asked, status, contentType, received: body })
    }
    const timer = setTimeout(done, ANSWER_MS)
    socket.on('error', () => {})
    socket.once('close', done)
    socket.on('data', chunk => {
      text += chunk.toString('latin1')
      if (parseAnswer(text).isComplete) done()
    })
    socket.write(bytes, () => {
      if (expects === 'nothing') done()
      if (expects === 'end') socket.end()
    })
  })
}
