import type { Random } from '../../random.ts'
import type { RawMessage } from './send-raw.ts'

type Bytes = string | Buffer
const bytesOf = (...parts: Bytes[]) =>
  Buffer.concat(parts.map(part => (typeof part === 'string' ? Buffer.from(part) : part)))

/** A request as bytes; `fields` as they shall stand. */
function message(line: string, fields: readonly Bytes[], body: Bytes = ''): Buffer {
  return bytesOf(`${line}\r\n`, ...fields.flatMap(field => [field, '\r\n']), '\r\n', body)
}

const HOST = 'host: localhost'
const JSON_TYPE = 'content-type: application/json'
const MEGABYTE = 1024 * 1024

/** A POST with a body of JSON and its right length. */
function post(path: string, fields: readonly Bytes[], body: Bytes): Buffer {
  return message(`POST ${path} HTTP/1.1`, [HOST, ...fields, `content-length: ${bytesOf(body).length}`], body)
}

const nested = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth)

/** Where a text of one's own stands in the body of an operation. */
export const WORDS = 'a fuzz says so'

/** Bodies that are no sound JSON, or hide something in it; most of them are the right one but for that. */
function bodies(sound: string, random: Random): Record<string, Bytes> {
  const before = (member: string) => `{${member},${sound.slice(1)}`
  const saying = (...words: Bytes[]) => {
    const [head = '', tail = ''] = sound.split(WORDS)
    return bytesOf(head, ...words, tail)
  }
  return {
    nothing: '',
    'half of it': sound.slice(0, sound.length / 2),
    'deep lists': nested('[', ']', 200_000),
    'deep objects': `${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}`,
    'a deep member': before(`"parameters":${nested('[', ']', 100_000)}`),
    'more than is allowed': saying('x'.repeat(MEGABYTE + 1)),
    'as much as is allowed': saying('x'.repeat(MEGABYTE - sound.length)),
    'an endless blank': sound + ' '.repeat(500_000),
    __proto__: before('"__proto__":{"isAdmin":true}'),
    'an escaped __proto__': before('"\\u005f_proto__":{"isAdmin":true}'),
    constructor: before('"constructor":{"prototype":{"isAdmin":true}}'),
    'a constructor that is text': before('"constructor":"x","toString":"x","hasOwnProperty":1'),
    'invalid UTF-8': saying(Buffer.from([0xff, 0xfe, 0xc0, 0x80, 0xed, 0xa0, 0x80])),
    'a NUL, escaped': saying('a\\u0000b'),
    'a NUL, plain': saying('a\u0000b'),
    'half a surrogate pair': saying('\\ud800'),
    'a control character': saying('\\u0001\\u001b[31m\\r\\nlevel=60'),
    SQL: saying("'; drop table steadfast.event; --"),
    'every key twice': `${sound.slice(0, -1)},${sound.slice(1)}`,
    'a byte order mark': `\ufeff${sound}`,
    'two values': sound + sound,
    'huge numbers': before('"limit":1e999,"parameters":{"durationMs":1e999,"failureRate":-1e999}'),
    'a number of many digits': before(`"limit":${'9'.repeat(10_000)}`),
    'many keys': `{${Array.from({ length: 50_000 }, (_, index) => `"k${index}":0`)}}`,
    'a list': `[${sound}]`,
    null: 'null',
    'random bytes': Buffer.from(Array.from({ length: random.between(1, 2000) }, () => random.between(0, 255)))
  }
}

const TYPES = [
  'application/json; charset=utf-16',
  'application/json; charset="',
  'application/json,application/json',
  'application/jsonx',
  'application/vnd.api+json',
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'text/html',
  'a',
  '/',
  `application/json; ${'x'.repeat(4000)}`
]

/** Values of Idempotency-Key. */
export const KEYS: readonly (readonly Bytes[])[] = [
  ['idempotency-key:'],
  ['idempotency-key: " "'],
  ['idempotency-key: a', 'idempotency-key: b'],
  ['idempotency-key: "a", "b"'],
  ['idempotency-key: "unfinished'],
  ['idempotency-key: "\\x"'],
  [`idempotency-key: ${'k'.repeat(255)}`],
  [`idempotency-key: ${'k'.repeat(256)}`],
  [`idempotency-key: ${'k'.repeat(12_000)}`],
  [`idempotency-key: "${'\\"'.repeat(255)}"`],
  [bytesOf('idempotency-key: ', Buffer.from([0xff, 0x80, 0xc3]))],
  [bytesOf('idempotency-key: a', Buffer.from([0]), 'b')],
  ["idempotency-key: '; drop table steadfast.idempotency; --"],
  ['idempotency-key: __proto__'],
  ['idempotency-key: ?1'],
  ['idempotency-key: :cHJldGVuZA==:']
]

/** Every POST of a service with bodies, content types and lengths that nobody meant. */
export function rawPosts(
  { path, body: meant }: { path: string; body: unknown },
  fields: readonly string[],
  random: Random
): RawMessage[] {
  const named = Object.entries(bodies(JSON.stringify(meant), random)).map(([name, body]) => ({
    name,
    bytes: post(path, [...fields, JSON_TYPE], body)
  }))
  const small = '{"note":"x"}'
  const typed = TYPES.map(type => ({
    name: `content type ${type.slice(0, 40)}`,
    bytes: post(path, [...fields, `content-type: ${type}`], small)
  }))
  const lengths: [string, readonly string[], string, RawMessage['expects']][] = [
    ['a length too long', ['content-length: 500'], small, 'end'],
    ['a length too short', ['content-length: 3'], small, 'answer'],
    ['a negative length', ['content-length: -1'], small, 'answer'],
    ['a length in words', ['content-length: twelve'], small, 'answer'],
    ['two lengths', ['content-length: 12', 'content-length: 3'], small, 'answer'],
    [
      'a length and chunks',
      ['content-length: 12', 'transfer-encoding: chunked'],
      `c\r\n${small}\r\n0\r\n\r\n`,
      'answer'
    ],
    ['chunks of nonsense', ['transfer-encoding: chunked'], 'zz\r\nabc\r\n', 'answer'],
    ['a chunk without an end', ['transfer-encoding: chunked'], 'ffffff\r\n{"note"', 'end'],
    ['an unknown encoding', ['transfer-encoding: gzip, chunked', 'content-encoding: gzip'], '0\r\n\r\n', 'answer'],
    ['an expectation', ['expect: 200-maybe', 'content-length: 12'], small, 'answer']
  ]
  const measured = lengths.map(([name, more, body, expects]): RawMessage => {
    const bytes = message(`POST ${path} HTTP/1.1`, [HOST, ...fields, JSON_TYPE, ...more], body)
    return expects === undefined ? { name, bytes } : { name, bytes, expects }
  })
  return [...named, ...typed, ...measured]
}

/** An order with every Idempotency-Key; the product is unknown, so that nothing comes of it. */
export const rawKeys = (): RawMessage[] =>
  KEYS.map(fields => ({
    name: `key ${fields.map(String).join(' and ').slice(0, 60)}`,
    bytes: post('/orders', [JSON_TYPE, ...fields], '{"product":"sleeper","plan":"of a key"}')
  }))

const LINES = [
  'GET / HTTP/1.1',
  'GET http://other.example/orders HTTP/1.1',
  'GET * HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'GET /%00 HTTP/1.1',
  'GET /orders/%00 HTTP/1.1',
  'GET /orders/% HTTP/1.1',
  'GET /%zz HTTP/1.1',
  'GET /docs/static/..%2f..%2f..%2fpackage.json HTTP/1.1',
  'GET /docs/static/%2e%2e/%2e%2e/package.json HTTP/1.1',
  'GET /docs/static/%00 HTTP/1.1',
  'GET /docs/json?__proto__[a]=1&constructor[prototype][a]=1 HTTP/1.1',
  'GET /orders?limit=1&limit=2&limit[]=3 HTTP/1.1',
  `GET /orders?before=${'9'.repeat(6000)} HTTP/1.1`,
  `GET /${'a'.repeat(30_000)} HTTP/1.1`,
  'POST /steadfast/events/market/deploy.deployment.succeeded HTTP/1.1',
  'POST /steadfast/events/deploy/market.deployment.requested HTTP/1.1',
  'QUERY /orders HTTP/1.1',
  'PROPFIND / HTTP/1.1',
  'CONNECT localhost:1 HTTP/1.1',
  'get /orders HTTP/1.1',
  'BREW /orders HTTP/1.1',
  'GET /orders HTTP/1.0',
  'GET /orders HTTP/2.0',
  'GET /orders HTTP/9.9',
  'GET /orders',
  'PRI * HTTP/2.0'
]

/** What is hardly HTTP. */
export function rawRequests(random: Random): RawMessage[] {
  const get = (name: string, fields: readonly Bytes[]): RawMessage => ({
    name,
    bytes: message('GET /health/live HTTP/1.1', fields),
    expects: 'end'
  })
  const noise = Array.from(
    { length: 10 },
    (_, index): RawMessage => ({
      name: `noise ${index}`,
      bytes: Buffer.from(Array.from({ length: random.between(1, 500) }, () => random.between(0, 255))),
      expects: 'end'
    })
  )
  return [
    ...LINES.map(
      (line): RawMessage => ({
        name: 'request line',
        bytes: message(line, [HOST, 'connection: close']),
        expects: 'end'
      })
    ),
    get('no host', []),
    get('two hosts', [HOST, 'host: other.example']),
    get('a huge header', [HOST, `x-a: ${'a'.repeat(40_000)}`]),
    get('many headers', [HOST, ...Array.from({ length: 3000 }, (_, index) => `x-${index}: 1`)]),
    get('a NUL in a header', [HOST, bytesOf('x-a: ', Buffer.from([0]))]),
    get('a bare line feed', [HOST, 'x-a: b\nx-c: d']),
    get('a folded header', [HOST, 'x-a: b\r\n folded']),
    get('a space before the colon', [HOST, 'x-a : b']),
    get('an upgrade', [HOST, 'connection: upgrade', 'upgrade: h2c', 'http2-settings: AAMAAABkAAQAAP__']),
    get('a web socket', [
      HOST,
      'connection: upgrade',
      'upgrade: websocket',
      'sec-websocket-version: 13',
      'sec-websocket-key: eA=='
    ]),
    { name: 'TLS', bytes: Buffer.from('16030100a5010000a10303', 'hex'), expects: 'end' },
    { name: 'nothing at all', bytes: Buffer.alloc(0), expects: 'end' },
    ...noise
  ]
}

/** Orders whose sender does not wait for the answer: each is there with its event, or not at all. */
export function abandonedOrders(count: number, random: Random): RawMessage[] {
  const order = post('/orders', [JSON_TYPE], '{"product":"sleeper","plan":"abandoned"}')
  return Array.from(
    { length: count },
    (_, index): RawMessage => ({
      name: 'gone before the answer',
      bytes: index % 2 === 0 ? order : order.subarray(0, random.between(1, order.length - 1)),
      expects: 'nothing'
    })
  )
}
