import t from 'tap'
import { decodeEnvelope, inBinaryMode } from '../src/index.ts'

const bytes = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)]))
const structured = (text: string, contentType = 'application/cloudevents+json', more: Record<string, string> = {}) => ({
  headers: bytes({ 'content-type': contentType, ...more }),
  raw: Buffer.from(text)
})
const read = (message: ReturnType<typeof structured> & { key?: Buffer }) => {
  const binary = inBinaryMode(message)
  return { envelope: decodeEnvelope(binary), data: binary.raw.toString() }
}

// As they come off the wire from the SDKs: the order of the members, the white space and the content type are theirs.
const SDKS: [string, string, string, string][] = [
  [
    'Java',
    'application/cloudevents+json',
    '{"specversion":"1.0","id":"1","source":"/java","type":"com.example.Person$Told","datacontenttype":"application/json","dataschema":"https://example.com/s","subject":"42","time":"2026-01-02T03:04:05.678Z","comexampleext":"x","data":{"name":"a","n":12345678901234567890}}',
    '{"name":"a","n":12345678901234567890}'
  ],
  [
    'Go',
    'application/cloudevents+json',
    '{"specversion":"1.0","id":"1","source":"/go","type":"com.example.told","subject":"42","dataschema":"https://example.com/s","datacontenttype":"application/json","time":"2026-01-02T03:04:05.678Z","data":{"b":[1,"}]",{"a":"\\""}]},"comexampleext":"x"}',
    '{"b":[1,"}]",{"a":"\\""}]}'
  ],
  [
    'Python',
    'application/cloudevents+json',
    '{"specversion": "1.0", "id": "1", "source": "/python", "type": "com.example.told", "time": "2026-01-02T03:04:05.678000+00:00", "subject": "42", "dataschema": "https://example.com/s", "comexampleext": "x", "data": {"name": "\\u00e9", "data": {"id": 2}}}',
    '{"name": "\\u00e9", "data": {"id": 2}}'
  ],
  [
    '.NET',
    'application/cloudevents+json; charset=utf-8',
    '\ufeff{\r\n  "specversion": "1.0",\r\n  "id": "1",\r\n  "source": "/dotnet",\r\n  "type": "com.example.told",\r\n  "datacontenttype": "application/json; charset=utf-8",\r\n  "dataschema": "https://example.com/s",\r\n  "subject": "42",\r\n  "comexampleext": "x",\r\n  "time": "2026-01-02T03:04:05.678Z",\r\n  "data": [ 1, 2 ]\r\n}\r\n',
    '[ 1, 2 ]'
  ]
]

for (const [sdk, contentType, text, data] of SDKS)
  t.test(`structured mode as the SDK of ${sdk} writes it: attributes, and the data byte for byte`, async t => {
    const found = read({
      ...structured(text, contentType, { traceparent: 't', ce_id: 'not this' }),
      key: Buffer.from('k')
    })
    t.equal(found.data, data)
    const { id, source, type, time, key, headers, attributes } = found.envelope
    t.match(id, /^[0-9a-f-]{36}$/)
    t.equal(source, `/${sdk === '.NET' ? 'dotnet' : sdk.toLowerCase()}`)
    t.match(type, /^com\.example\./)
    t.match(time, /^2026-01-02T03:04:05/)
    t.same([key, headers], ['k', { traceparent: 't' }])
    t.same(attributes, { subject: '42', dataschema: 'https://example.com/s', comexampleext: 'x' })
  })

t.test('data may be absent, null, a text, or bytes; attributes numbers, truth values, or null', async t => {
  const event = (members: string) =>
    read(structured(`{"specversion":"1.0","id":"1","source":"s","type":"t"${members}}`))
  t.equal(event('').data, '')
  t.equal(event(',"data":null').data, 'null')
  t.equal(event(',"data": "text" ').data, '"text"')
  t.equal(event(`,"data_base64":"${Buffer.from('{"a":1}').toString('base64')}"`).data, '{"a":1}')
  t.same(event(',"one":1,"two":true,"three":null').envelope.attributes, { one: '1', two: 'true' })
  t.equal(event(',"data":1,"data":2').data, '2', 'of two the last, as a parser takes it')
  t.equal(event(',"partitionkey":"p"').envelope.key, 'p')
})

t.test('what is no event says what is wrong with it', async t => {
  const E = '"specversion":"1.0","id":"1","source":"s","type":"t"'
  for (const [message, reason] of [
    [structured('[]', 'application/cloudevents-batch+json'), /a batch/],
    [structured('x', 'application/cloudevents+avro'), /only JSON is read/],
    [structured('{'), /no JSON/],
    [structured('[1]'), /no JSON object/],
    [structured('null'), /no JSON object/],
    [{ ...structured(''), raw: Buffer.from([0xff]) }, /not UTF-8/],
    [structured(`{${E},"Upper":"x"}`), /small letters and digits/],
    [structured(`{${E},"a":{}}`), /attribute a is no text/],
    [structured(`{${E},"a":1.5}`), /attribute a is no text/],
    [structured(`{${E},"data":1,"data_base64":""}`), /both/],
    [structured(`{${E},"data_base64":"!"}`), /no base64/],
    [structured(`{${E},"datacontenttype":"text/plain","data":"x"}`), /content-type is not JSON/],
    [structured('{"specversion":"1.0","id":"1","source":"s"}'), /no type/],
    [structured('{"id":"1","source":"s","type":"t"}'), /no specversion/]
  ] as const)
    t.throws(() => read(message), { code: 'SF_EVENTS_UNDECODABLE', message: reason })
})

t.test('binary mode is left as it is, and its attributes are found too', async t => {
  const headers = bytes({
    ce_specversion: '1.0',
    ce_id: '1',
    ce_source: 's',
    ce_type: 't',
    ce_subject: 'k',
    ce_dataschema: 'https://example.com/s',
    ce_comexampleext: 'x',
    ce_attempt: '2',
    'content-type': 'application/json'
  })
  const message = { headers, raw: Buffer.from('{}'), key: Buffer.from('k') }
  t.equal(inBinaryMode(message), message)
  t.same(decodeEnvelope(message).attributes, { dataschema: 'https://example.com/s', comexampleext: 'x' })
  const { attributes } = decodeEnvelope({ ...message, key: Buffer.from('another') })
  t.equal(attributes?.subject, 'k', 'a subject that is not the key')
})
