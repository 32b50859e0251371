import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { java } from './kafka-files.ts'

const run = promisify(execFile)

/** A key with a certificate that it has signed itself, of `localhost` and 127.0.0.1. */
export interface KeyStore {
  /** PKCS #12, for a broker and for `pfx` of node:tls. */
  path: string
  password: string
  /** In PEM: who trusts it trusts the holder of the key. */
  certificate: string
  /** The same, as a file. */
  certificatePath: string
  remove(): void
}

/** Makes one with the keytool that comes with Java. `name`: its common name. */
export async function makeKeyStore(name: string): Promise<KeyStore> {
  const dir = mkdtempSync(join(tmpdir(), 'steadfast-keys-'))
  const path = join(dir, `${name}.p12`)
  const password = 'not-a-secret'
  const keytool = java === 'java' ? 'keytool' : join(dirname(java), 'keytool')
  const store = ['-keystore', path, '-storetype', 'PKCS12', '-storepass', password, '-alias', name]
  const names = ['-dname', `CN=${name}`, '-ext', 'SAN=dns:localhost,ip:127.0.0.1']
  await run(keytool, [
    '-genkeypair',
    '-keyalg',
    'EC',
    '-groupname',
    'secp256r1',
    '-validity',
    '3650',
    ...names,
    ...store
  ])
  const certificatePath = join(dir, 'certificate.pem')
  await run(keytool, ['-exportcert', '-rfc', '-file', certificatePath, ...store])
  return {
    path,
    password,
    certificate: readFileSync(certificatePath, 'utf8'),
    certificatePath,
    remove: () => rmSync(dir, { recursive: true, force: true })
  }
}
