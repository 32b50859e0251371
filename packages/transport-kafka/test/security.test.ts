import { pbkdf2Sync, randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { alterUserScramCredentialsV0, ConnectionPool } from '@platformatic/kafka'
import { freePort, launchKafka, makeKeyStore, until } from '@steadfast/dev-services'
import type { Delivery, Transport } from '@steadfast/events'
import t, { type Test } from 'tap'
import * as onPlatformatic from '../src/index.ts'
import * as onKafkajs from '../src/kafkajs/index.ts'
import { message, newTopic, outcomes, publish, QUICK, skip, store, texts } from './helper.ts'

// a busy machine takes its time
t.setTimeout(180_000)

const USER = 'app'
const PASSWORD = 'app-secret'
const LOGIN = 'org.apache.kafka.common.security'

const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
/** As Kafka's own checker without signatures takes it. */
const token = (seconds = 3600) => {
  const now = Math.floor(Date.now() / 1000)
  return `${base64({ alg: 'none' })}.${base64({ sub: USER, iat: now, exp: now + seconds })}.`
}

/** Everybody who logs in over TLS, by any mechanism; again every fifteen seconds: kafkajs needs more than ten. */
async function secureBroker(t: Test) {
  const keys = await makeKeyStore('broker')
  const client = await makeKeyStore('client')
  const [plain, secure, mutual, inner, controller] = await Promise.all([1, 2, 3, 4, 5].map(() => freePort()))
  const store = (listener: string) => ({
    [`listener.name.${listener}.ssl.keystore.type`]: 'PKCS12',
    [`listener.name.${listener}.ssl.keystore.location`]: keys.path,
    [`listener.name.${listener}.ssl.keystore.password`]: keys.password,
    [`listener.name.${listener}.ssl.key.password`]: keys.password
  })
  const broker = await launchKafka({
    port: plain as number,
    properties: {
      'controller.quorum.voters': `1@127.0.0.1:${controller}`,
      listeners: `CLIENT://127.0.0.1:${plain},SECURE://127.0.0.1:${secure},MUTUAL://127.0.0.1:${mutual},INNER://127.0.0.1:${inner},CONTROLLER://127.0.0.1:${controller}`,
      'advertised.listeners': `CLIENT://127.0.0.1:${plain},SECURE://localhost:${secure},MUTUAL://localhost:${mutual},INNER://127.0.0.1:${inner}`,
      'listener.security.protocol.map':
        'CLIENT:PLAINTEXT,SECURE:SASL_SSL,MUTUAL:SSL,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT',
      ...store('secure'),
      ...store('mutual'),
      'listener.name.mutual.ssl.client.auth': 'required',
      'listener.name.mutual.ssl.truststore.type': 'PEM',
      'listener.name.mutual.ssl.truststore.location': client.certificatePath,
      'listener.name.secure.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
      'listener.name.secure.plain.sasl.jaas.config': `${LOGIN}.plain.PlainLoginModule required user_${USER}="${PASSWORD}";`,
      'listener.name.secure.scram-sha-256.sasl.jaas.config': `${LOGIN}.scram.ScramLoginModule required;`,
      'listener.name.secure.scram-sha-512.sasl.jaas.config': `${LOGIN}.scram.ScramLoginModule required;`,
      'listener.name.secure.oauthbearer.sasl.jaas.config': `${LOGIN}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="${USER}";`,
      'listener.name.secure.connections.max.reauth.ms': 15_000
    }
  })
  t.teardown(async () => {
    await broker.stop()
    keys.remove()
    client.remove()
  })
  await makeScramUser(plain as number)
  const at = (port: number | undefined) => [`localhost:${port}`]
  return { secure: at(secure), mutual: at(mutual), ca: keys.certificate, client }
}

async function makeScramUser(port: number): Promise<void> {
  const pool = new ConnectionPool('test')
  const connection = await pool.get({ host: '127.0.0.1', port })
  const salt = randomBytes(16)
  const user = (mechanism: number, bytes: number, digest: string) => {
    const saltedPassword = pbkdf2Sync(PASSWORD, salt, 4096, bytes, digest)
    return { name: USER, mechanism, iterations: 4096, salt, saltedPassword }
  }
  // Each user once in a request.
  for (const made of [user(1, 32, 'sha256'), user(2, 64, 'sha512')])
    await alterUserScramCredentialsV0.api.async(connection, [], [made])
  await pool.close()
}

/** Sends and reads for longer than a login lasts. */
async function goesOn(t: Test, on: Transport, forMs: number): Promise<void> {
  t.teardown(() => on.close(100))
  let topic = ''
  await until(
    async () => {
      topic = await newTopic(on, 2)
      return true
    },
    { what: 'a topic' }
  )
  const seen: Delivery[] = []
  await on.subscribe({ group: randomUUID(), topics: [topic], maxInFlight: 10 }, delivery => {
    seen.push(delivery)
    delivery.done()
  })
  const end = Date.now() + forMs
  const sent: string[] = []
  while (sent.length < 3 || Date.now() < end) {
    const text = `m${sent.length}`
    await store(on, [message(topic, 'k', text)])
    sent.push(text)
    await until(() => texts(seen).includes(text), { what: `${text} to be read` })
  }
  t.same([...new Set(texts(seen))], sent, 'in order')
  t.same(on.health(), { ready: true })
}

t.test('TLS and logins', { skip, timeout: 170_000 }, async t => {
  const { secure, mutual, ca, client } = await secureBroker(t)

  for (const [name, { createKafkaTransport }] of Object.entries({ onPlatformatic, onKafkajs })) {
    const create = (more: Partial<onPlatformatic.KafkaTransportOptions>, brokers = secure) =>
      createKafkaTransport({ brokers, ssl: { ca }, ...QUICK, ...more })

    for (const mechanism of ['plain', 'SCRAM-SHA-256', 'scram-sha-512'])
      await t.test(`${name}: ${mechanism}`, t =>
        goesOn(
          t,
          create({ sasl: { mechanism, username: USER, password: PASSWORD } }),
          name === 'onPlatformatic' && mechanism === 'plain' ? 17_000 : 0
        )
      )

    await t.test(`${name}: a token that is new each time`, async t => {
      let asked = 0
      const sasl = {
        mechanism: 'OAUTHBEARER',
        token: async () => {
          asked++
          return token()
        }
      }
      await goesOn(t, create({ sasl }), 0)
      t.ok(asked > 1, `asked ${asked} times`)
    })

    await t.test(`${name}: a wrong password is said to be one, and sends nothing`, async t => {
      const on = create({ sasl: { mechanism: 'plain', username: USER, password: 'wrong' } })
      t.teardown(() => on.close(100))
      const results = await publish(on, [message('t', 'k', 'm')])
      t.same(outcomes(results), ['unavailable'])
      await until(() => /auth/i.test(on.health().reason ?? ''), { what: 'health to say so' })
      t.equal(on.health().ready, false)
    })

    await t.test(`${name}: an authority that is not known is not believed`, async t => {
      const on = create({ ssl: true, sasl: { mechanism: 'plain', username: USER, password: PASSWORD } })
      t.teardown(() => on.close(100))
      t.same(outcomes(await publish(on, [message('t', 'k', 'm')])), ['unavailable'])
    })

    await t.test(`${name}: mutual TLS`, t =>
      goesOn(t, create({ ssl: { ca, pfx: readFileSync(client.path), passphrase: client.password } }, mutual), 0)
    )
  }
})
