import { randomUUID } from 'node:crypto'
import { testDatabase, until } from '@steadfast/dev-services'
import { POSTGRES_PLANS } from '@steadfast-examples/contracts'
import pg from 'pg'
import t from 'tap'
import { derivePassword } from '../provision/derive-password.ts'
import { openDatabases } from '../provision/open-databases.ts'
import { removeDatabase } from '../provision/remove-database.ts'
import { scramVerifier } from '../provision/scram-verifier.ts'
import { findPlan, STEPS } from '../provision/steps.ts'
import { connectTarget, databaseName } from '../provision/target.ts'

const small = { ...POSTGRES_PLANS.small, statementTimeoutMs: 200 }

async function targetServer(t: Tap) {
  const { url, pool } = await testDatabase(t)
  const target = connectTarget({ url, secret: 'a secret of the test', prefix: `t${process.pid}_` })
  t.teardown(() => target.close())
  return { target, pool }
}
type Tap = { teardown(handler: () => unknown): void }

t.test('every step may run twice, by two workers at once; the result is one database with the limits', async t => {
  const { target } = await targetServer(t)
  const id = randomUUID()
  t.teardown(() => removeDatabase(target, id))
  for (const [name, step] of STEPS) {
    const runs = [step(target, { id, plan: small }), step(target, { id, plan: small })]
    const results = await Promise.allSettled(runs)
    t.ok(
      results.some(result => result.status === 'fulfilled' && result.value === 'done'),
      `${name}: one of two at once gets through`
    )
    t.equal(await step(target, { id, plan: small }), 'done', `${name}: again`)
  }
  const name = databaseName(target, id)
  const address = new URL(target.url)
  Object.assign(address, { username: name, password: derivePassword(target.secret, id), pathname: `/${name}` })
  const clients = Array.from({ length: small.connections + 1 }, () => new pg.Client({ connectionString: address.href }))
  const connected = await Promise.allSettled(clients.map(client => client.connect()))
  t.equal(connected.filter(({ status }) => status === 'rejected').length, 1, 'one connection too many is refused')
  const client = clients[connected.findIndex(({ status }) => status === 'fulfilled')]
  await t.rejects(async () => client?.query('select pg_sleep(4)'), { code: '57014' }, 'a long statement is cancelled')
  await client?.query('create schema mine create table thing (id int)')
  await Promise.allSettled(clients.map(client => client.end()))
})

t.test('the verifier is the one that PostgreSQL makes of the same password', async t => {
  const { target } = await targetServer(t)
  const id = randomUUID()
  const role = databaseName(target, id)
  const password = derivePassword(target.secret, id)
  t.teardown(() => target.query(`drop role ${role}`))
  await target.query(`create role ${role} password '${password}'`)
  const { rows } = await target.query('select rolpassword from pg_authid where rolname = $1', [role])
  const { rolpassword } = rows[0] as { rolpassword: string }
  const salt = Buffer.from(/:(.*)\$/.exec(rolpassword)?.[1] ?? '', 'base64')
  t.equal(scramVerifier(password, salt), rolpassword)
  t.not(password, derivePassword('another secret of it', id))
})

t.test('a database of one deployment is closed to the role of another', async t => {
  const { target } = await targetServer(t)
  const ids = [randomUUID(), randomUUID()] as const
  for (const id of ids) {
    t.teardown(() => removeDatabase(target, id))
    for (const [, step] of STEPS) await until(async () => (await step(target, { id, plan: small })) === 'done')
  }
  const address = new URL(target.url)
  address.username = databaseName(target, ids[0])
  address.password = derivePassword(target.secret, ids[0])
  address.pathname = `/${databaseName(target, ids[1])}`
  const client = new pg.Client({ connectionString: address.href })
  await t.rejects(client.connect(), { code: '42501' })
})

t.test('a plan that cannot be met, or that nobody knows, is a reason and not an error', async t => {
  const { target } = await targetServer(t)
  t.match(await STEPS[0]?.[1](target, { id: randomUUID(), plan: POSTGRES_PLANS.huge }), {
    reason: /grants 100000 connections/
  })
  t.match(findPlan('postgres', 'none'), { reason: /no plan none/ })
  t.match(findPlan('postgres', 'constructor'), { reason: /no plan constructor/ })
  t.match(findPlan('redis', 'small'), { reason: /product redis/ })
})

t.test('a customer reaches no database but his own; what is open to everybody is found', async t => {
  const { target, pool } = await targetServer(t)
  const mine = randomUUID()
  const other = randomUUID()
  for (const id of [mine, other]) {
    t.teardown(() => removeDatabase(target, id))
    for (const [, step] of STEPS) await step(target, { id, plan: small })
  }
  const connect = async (database: string) => {
    const address = new URL(target.url)
    Object.assign(address, {
      username: databaseName(target, mine),
      password: derivePassword(target.secret, mine),
      pathname: `/${database}`
    })
    const client = new pg.Client({ connectionString: address.href })
    await client.connect()
    await client.end()
  }
  await t.resolves(connect(databaseName(target, mine)))
  await t.rejects(connect(databaseName(target, other)), { code: '42501' })
  const { rows } = await pool.query('select current_database() as name')
  const [{ name }] = rows as [{ name: string }]
  t.ok((await openDatabases(target)).includes(name))
  await t.resolves(connect(name), 'as PostgreSQL leaves it')
  await pool.query(`revoke all on database ${pg.escapeIdentifier(name)} from public`)
  t.notOk((await openDatabases(target)).includes(name))
  await t.rejects(connect(name), { code: '42501' })
  const provisioned = [mine, other].map(id => databaseName(target, id))
  t.strictSame(
    (await openDatabases(target)).filter(found => provisioned.includes(found)),
    []
  )
})
