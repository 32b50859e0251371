import { launchKafka, makeTopics, until } from '@steadfast/dev-services'
import kafkajs from 'kafkajs'
import t from 'tap'
import { missingKafka, startTestLoop, type TestLoop } from './helper.ts'
import { describeRight, grant, type Right, readDenials, readRights, withdraw } from './rights.ts'

// a busy machine takes its time
t.setTimeout(300_000)

const skip = await missingKafka()

const PASSWORDS = { admin: 'password-of-admin', market: 'password-of-market', deploy: 'password-of-deploy' }

const loginOf = (user: 'market' | 'deploy') => ({ KAFKA_USERNAME: user, KAFKA_PASSWORD: PASSWORDS[user] })

/** It takes long enough that deploy tells market of it meanwhile. */
const SLOW = { product: 'sleeper', plan: 'simulated', parameters: { durationMs: 1500 } }

t.test('the rights of the page', async t => {
  const [first, ...rest] = readRights('| `User:a` | `Read` on `b.c` and `d`; `Write` on group `e` |')
  t.strictSame(first, { user: 'a', operation: 'Read', kind: 'topic', name: 'b.c' })
  t.strictSame(rest.map(describeRight), ['a: Read on topic d', 'a: Write on group e'])
  t.throws(() => readRights('| `User:a` | `Read` on everything |'), /what does "`Read` on everything" allow/)
  const users = readRights().map(({ user }) => user)
  t.strictSame(new Set(users), new Set(['market', 'deploy']))
})

t.test('market and deploy work under exactly the rights of RIGHTS.md', { skip }, async t => {
  const broker = await launchKafka({
    users: PASSWORDS,
    properties: {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:admin;User:ANONYMOUS'
    }
  })
  t.teardown(() => broker.stop())
  const sasl = { mechanism: 'plain' as const, username: 'admin', password: PASSWORDS.admin }
  const admin = new kafkajs.Kafka({ brokers: broker.brokers, sasl, logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  t.teardown(() => admin.disconnect())

  const rights = readRights()
  const topics = new Set(rights.filter(({ kind }) => kind === 'topic').map(({ name }) => name))
  await makeTopics(
    admin,
    [...topics].map(topic => ({ topic, numPartitions: 6 }))
  )
  for (const right of rights) await grant(admin, right)

  const loop = await startTestLoop(t, {
    choice: { transport: 'kafka', brokers: broker.brokers.join(), why: 'a test' },
    // nothing is sent again because a right was away for a while
    env: { CONSUMER_TIMEOUT_MS: '2500', CONFIRM_WITHIN_MS: '120000', PROGRESS_EVERY_MS: '200' },
    ownEnv: { market: loginOf('market'), deploy: loginOf('deploy') }
  })
  const ids: string[] = []
  const order = async () => {
    const id = await loop.order(SLOW)
    ids.push(id)
    return id
  }

  await t.test('an order is taken, deployed and confirmed; market hears that it is in progress', async t => {
    t.equal((await loop.finished(await order())).status, 'READY')
    const heard = async () => {
      const offsets = await admin.fetchOffsets({ groupId: 'market', topics: ['market.signals'] })
      return offsets.some(({ partitions }) => partitions.some(({ offset }) => Number(offset) > 0))
    }
    await until(heard, { what: 'market to have taken a signal' })
    await loop.accountFor(t, ids.splice(0))
    // The page says what comes of it.
    const isOptional = (denial: string) => denial.includes('DESCRIBE_CONFIGS')
    const denials = readDenials(broker.log)
    t.ok(denials.some(isOptional), 'the broker notes what it denies')
    t.strictSame(
      denials.filter(denial => !isOptional(denial)),
      [],
      'nothing else was asked for'
    )
  })

  for (const right of rights)
    await t.test(`without "${describeRight(right)}" it says so, and goes on when it has the right again`, async t => {
      await withdraw(admin, right)
      const id = await order()
      await until(() => says(loop, right), { timeoutMs: 40_000, what: `${right.user} to say what it may not do` })
      await grant(admin, right)
      t.equal((await loop.finished(id)).status, 'READY', 'with it, it goes on')
      for (const service of [loop.market, loop.deploy])
        await until(service.isReady, { timeoutMs: 40_000, what: `${service.name} to be ready again` })
    })

  await loop.accountFor(t, ids)
})

/** Whether the service names what it may not read, or says on an event that waits which topic it may not write. */
async function says(loop: TestLoop, { user, operation, kind, name }: Right): Promise<boolean> {
  const service = user as 'market' | 'deploy'
  if (operation === 'Write') {
    const { rows } = await loop.ledgers[service].query(
      'select last_error from steadfast.event where topic = $1 and topic_unavailable_since is not null',
      [name]
    )
    return rows.some(({ last_error: error }) => error.includes(name))
  }
  const reasons = await reasonsOf(loop[service].url, loop.operatorToken)
  return reasons.some(reason => reason.includes(kind === 'group' ? `group ${name}` : name) && /authori/i.test(reason))
}

async function reasonsOf(url: string, token: string): Promise<string[]> {
  try {
    const headers = { authorization: `Bearer ${token}` }
    const health = await fetch(`${url}/health/messaging`, { headers, signal: AbortSignal.timeout(3000) })
    return ((await health.json()) as { reasons: string[] }).reasons
  } catch {
    return []
  }
}
