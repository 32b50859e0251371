import { createHash, createPrivateKey, createPublicKey, createSecretKey, generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { encodeEvent, type SendableEvent, signMessage, type Verification, verifyDelivery } from '../src/index.ts'

const event: SendableEvent = {
  id: '0190a0a0-0000-7000-8000-000000000001',
  seq: '42',
  source: 'market',
  type: 'market.ordered',
  topic: 'orders',
  key: 'ключ',
  dataVersion: null,
  payload: '{"n":12345678901234567890}',
  headers: { traceparent: '00-1' },
  replyTo: 'market.signals',
  causationId: null,
  correlationId: 'c',
  createdAt: new Date('2026-01-01T00:00:00Z'),
  count: 0,
  replay: false
}
const secret = createSecretKey(createHash('sha256').update('steadfast test secret').digest())
// PKCS #8 of an Ed25519 key whose seed is a hash.
const seed = createHash('sha256').update('steadfast test seed').digest()
const privateKey = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]),
  format: 'der',
  type: 'pkcs8'
})
const publicKey = createPublicKey(privateKey)
const code = 'SF_EVENTS_SIGNATURE_INVALID'
const arrived = ({ topic, key, headers, value }: ReturnType<typeof encodeEvent>) => ({
  topic,
  key: Buffer.from(key),
  headers,
  raw: value
})
const keys: Verification['keys'] = { market: { s: secret, e: publicKey } }

t.test('the form of what is signed is frozen: test vectors', async t => {
  const signature = (keyId: string, key: typeof secret) =>
    signMessage(encodeEvent(event), { keyId, key }).headers.ce_signature?.toString()
  t.equal(signature('s', secret), 'zMlPQSnAavUSCS_jtn_PHUIg1OsDTuMtVOJ-omfjpAw')
  t.equal(
    signature('e', privateKey),
    'zl6-B0ny88kSAmKkYExaHpnHnZc3zT1xWwe6v_wF3UCt-U6ygpZ6AvNlQmy3Mhofj5YtvT8CczYreBAB2UIoBg'
  )
})

t.test('what is signed cannot be altered; what changes from send to send may', async t => {
  for (const [keyId, key] of [
    ['s', secret],
    ['e', privateKey]
  ] as const) {
    const signed = arrived(signMessage(encodeEvent(event), { keyId, key }))
    verifyDelivery(signed, { keys })
    const again = { ...signed.headers, ce_attempt: Buffer.from('2'), ce_replay: Buffer.from('true') }
    verifyDelivery({ ...signed, headers: again }, { keys })
    const rejected = (change: Partial<typeof signed>, what: string) =>
      t.throws(() => verifyDelivery({ ...signed, ...change }, { keys }), { code }, what)
    rejected({ topic: 'others' }, 'topic')
    rejected({ key: Buffer.from('k') }, 'key')
    rejected({ raw: Buffer.from('{}') }, 'data')
    const fixed = [
      'id',
      'type',
      'partitionkey',
      'time',
      'sequence',
      'correlationid',
      'replyto',
      'signature',
      'signaturekeyid'
    ]
    for (const name of [...fixed.map(n => `ce_${n}`), 'content-type']) {
      rejected({ headers: { ...signed.headers, [name]: Buffer.from('x') } }, name)
      const { [name]: _, ...others } = signed.headers
      rejected({ headers: others }, `no ${name}`)
    }
    for (const name of ['ce_causationid', 'ce_dataversion', 'ce_supersedes'])
      rejected({ headers: { ...signed.headers, [name]: Buffer.alloc(0) } }, `${name}, empty in place of absent`)
  }
})

t.test('a key counts for its own source', async t => {
  const forged = arrived(signMessage(encodeEvent({ ...event, source: 'shop' }), { keyId: 's', key: secret }))
  for (const others of [{}, { shop: {} }, { shop: { s: publicKey } }])
    t.throws(() => verifyDelivery(forged, { keys: { ...keys, ...others } }), { code }, JSON.stringify(others))
  const odd = arrived(
    signMessage(encodeEvent({ ...event, source: '__proto__' }), { keyId: 'constructor', key: secret })
  )
  t.throws(() => verifyDelivery(odd, { keys }), { code })
})

t.test('who must sign', async t => {
  const unsigned = arrived(encodeEvent(event))
  const foreign = arrived(encodeEvent({ ...event, source: 'shop' }))
  t.throws(() => verifyDelivery(unsigned, { keys }), { code, message: /not signed/ })
  t.throws(() => verifyDelivery(foreign, { keys }), { code }, 'by default everybody')
  verifyDelivery(foreign, { keys, requiredFrom: ['market'] })
  t.throws(() => verifyDelivery(unsigned, { keys, requiredFrom: ['market'] }), { code })
  verifyDelivery(unsigned, { keys, requiredFrom: [] })
  const wrong = arrived(signMessage(encodeEvent(event), { keyId: 's', key: createSecretKey(Buffer.alloc(32)) }))
  t.throws(() => verifyDelivery(wrong, { keys, requiredFrom: [] }), { code }, 'a wrong signature is never let pass')
})

t.test('keys of other kinds are no keys', async t => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const weak = createSecretKey(Buffer.alloc(31))
  for (const [keyId, key] of [
    ['a', rsa.privateKey],
    ['a', publicKey],
    ['a', weak],
    ['a', 'text' as never],
    ['a', undefined as never],
    ['', secret],
    ['a b', secret]
  ] as const)
    t.throws(() => signMessage(encodeEvent(event), { keyId, key }), { code: 'SF_EVENTS_KEY_INVALID' })
})
