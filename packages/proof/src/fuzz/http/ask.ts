import { request as openRequest } from 'node:http'
import type { ServiceName } from '../../check/look-up.ts'
import { curl, type Exchange } from './exchange.ts'

/** A service under attack. */
export interface Target {
  service: ServiceName
  url: string
}

export interface Question {
  by: string
  method: string
  /** As it shall stand in the request line. */
  path: string
  headers?: Record<string, string | string[]>
  body?: string | Buffer
}

export const ANSWER_MS = 8000

/** Asks, without a browser's or a client's care for what is asked. */
export function ask(target: Target, { by, method, path, headers = {}, body }: Question): Promise<Exchange> {
  const { service, url } = target
  const sent = body?.toString()
  const listed = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value): [string, string] => [name, value])
  )
  const again = curl({ method, url: `${url}${path}`, headers: listed, body: sent })
  const asked = { service, by, method, path, sent, again }
  return new Promise(resolve => {
    const unanswered = () => resolve({ ...asked, status: undefined, contentType: '', received: '' })
    const { hostname, port } = new URL(url)
    const request = openRequest(
      { hostname, port, method, path, headers, timeout: ANSWER_MS, agent: false },
      response => {
        const chunks: Buffer[] = []
        response.on('data', chunk => chunks.push(chunk))
        response.once('error', unanswered)
        response.once('end', () =>
          resolve({
            ...asked,
            status: response.statusCode,
            contentType: response.headers['content-type'] ?? '',
            received: Buffer.concat(chunks).toString()
          })
        )
      }
    )
    request.once('error', unanswered)
    request.once('timeout', () => request.destroy())
    request.end(body)
  })
}

/** Asks with a body of JSON. */
export const askJson = (target: Target, question: Omit<Question, 'body'> & { body?: unknown }): Promise<Exchange> => {
  const { headers, body, ...rest } = question
  if (body === undefined) return ask(target, { ...rest, ...(headers && { headers }) })
  return ask(target, {
    ...rest,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body)
  })
}
