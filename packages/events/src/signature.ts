import { createHmac, type KeyObject, sign as signBytes, timingSafeEqual, verify as verifyBytes } from 'node:crypto'
import { BadSignature, SigningKeyInvalid } from './errors.ts'
import type { Delivery, Outgoing } from './transport.ts'

/** What a relay signs with. */
export interface SigningKey {
  /** Names the key to whoever verifies, so that keys can be changed. */
  keyId: string
  /** A secret of at least 32 bytes (`createSecretKey`): HMAC-SHA-256. A private Ed25519 key (`createPrivateKey`): Ed25519. */
  key: KeyObject
}

/** What an inbox verifies with. */
export interface Verification {
  /** The keys of each source, by their ids: secrets, or public Ed25519 keys. Several ids, so that keys can be changed. */
  keys: Record<string, Record<string, KeyObject>>
  /** The sources whose events must be signed. Default: all there are. Of others only what is signed wrongly is refused. */
  requiredFrom?: readonly string[]
}

const SIGNATURE = 'ce_signature'
const KEY_ID = 'ce_signaturekeyid'
/** The headers that are signed, beside topic, key and value. `attempt` and `replay` change from send to send. */
const SIGNED = [
  'ce_id',
  'ce_source',
  'ce_type',
  'ce_partitionkey',
  'ce_time',
  'ce_sequence',
  'ce_causationid',
  'ce_correlationid',
  'ce_replyto',
  'ce_dataversion',
  'ce_supersedes',
  'content-type'
] as const
const SECRET_BYTES = 32

/**
 * Signs a message: adds `ce_signature` and `ce_signaturekeyid`. The message itself stays as it is.
 *
 * @throws SF_EVENTS_KEY_INVALID
 */
export function signMessage(message: Outgoing, { keyId, key }: SigningKey): Outgoing {
  checkKey('sign', keyId, key, 'private')
  const bytes = canonicalBytes({ ...message, key: Buffer.from(message.key), raw: message.value })
  const signature = key.type === 'secret' ? hmac(key, bytes) : signBytes(null, bytes, key)
  return {
    ...message,
    headers: {
      ...message.headers,
      [KEY_ID]: Buffer.from(keyId),
      [SIGNATURE]: Buffer.from(signature.toString('base64url'))
    }
  }
}

/**
 * Checks the signature of a delivery against the keys of the source that it names. One that is not signed is let pass if
 * its source need not sign.
 *
 * @throws SF_EVENTS_SIGNATURE_INVALID
 */
export function verifyDelivery(
  delivery: Pick<Delivery, 'topic' | 'key' | 'headers' | 'raw'>,
  { keys, requiredFrom }: Verification
): void {
  const text = (name: string) => delivery.headers[name]?.toString('utf8')
  const source = text('ce_source') ?? ''
  const ofSource = Object.hasOwn(keys, source) ? keys[source] : undefined
  const signature = text(SIGNATURE)
  const isRequired = requiredFrom?.includes(source) ?? true
  if (signature === undefined || (ofSource === undefined && !isRequired)) {
    if (isRequired) throw new BadSignature('it is not signed')
    return
  }
  const keyId = text(KEY_ID) ?? ''
  const key = ofSource !== undefined && Object.hasOwn(ofSource, keyId) ? ofSource[keyId] : undefined
  if (key === undefined) throw new BadSignature('no such key of its source is known here')
  if (!fits(key, canonicalBytes(delivery), Buffer.from(signature, 'base64url')))
    throw new BadSignature('it does not fit')
}

/**
 * @param option the option that holds the key: the message names it
 * @throws SF_EVENTS_KEY_INVALID
 */
export function checkKey(option: string, keyId: unknown, key: KeyObject, asymmetric: 'private' | 'public'): void {
  if (typeof keyId !== 'string' || !/^[\x21-\x7e]{1,200}$/.test(keyId))
    throw new SigningKeyInvalid(option, 'the id of a key must be 1 to 200 visible ASCII characters')
  if (key?.type === 'secret') {
    if ((key.symmetricKeySize ?? 0) >= SECRET_BYTES) return
    throw new SigningKeyInvalid(option, `key ${keyId}: a secret has at least ${SECRET_BYTES} bytes`)
  }
  if (key?.type !== asymmetric || key.asymmetricKeyType !== 'ed25519')
    throw new SigningKeyInvalid(
      option,
      `key ${keyId} must be a secret or a ${asymmetric} Ed25519 key, as a KeyObject of node:crypto`
    )
}

const hmac = (key: KeyObject, bytes: Buffer) => createHmac('sha256', key).update(bytes).digest()

function fits(key: KeyObject, bytes: Buffer, signature: Buffer): boolean {
  if (key.type !== 'secret') return verifyBytes(null, bytes, key, signature)
  const own = hmac(key, bytes)
  return own.length === signature.length && timingSafeEqual(own, signature)
}

/**
 * What is signed: a line that names the form, then each part as its name, its length in bytes and the bytes as they are
 * on the wire. What is absent has `-` for its length, so that it is not the same as what is empty.
 */
function canonicalBytes({ topic, key, headers, raw }: Pick<Delivery, 'topic' | 'key' | 'headers' | 'raw'>): Buffer {
  const parts: [string, Uint8Array | undefined][] = [
    ['topic', Buffer.from(topic)],
    ['key', key],
    ...SIGNED.map((name): [string, Uint8Array | undefined] => [name, headers[name]]),
    ['data', raw]
  ]
  const framed = parts.flatMap(([name, bytes]) => [
    Buffer.from(`${name} ${bytes === undefined ? '-' : bytes.length}\n`),
    bytes ?? Buffer.alloc(0),
    Buffer.from('\n')
  ])
  return Buffer.concat([Buffer.from('steadfast-signature-1\n'), ...framed])
}
