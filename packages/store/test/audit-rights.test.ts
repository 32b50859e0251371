import { randomUUID } from 'node:crypto'
import { matchWhole, testDatabase } from '@steadfast/dev-services'
import pg from 'pg'
import t, { type Test } from 'tap'
import { findRisks, migrate, printGrants } from '../src/index.ts'
import { listAudit, storeOn, writeAudit } from '../src/internal.ts'
import { PLUGINS, RIGHTS } from '../src/schema/rights.ts'

/** A database whose tables another role owns, and a service's role with the rights that are printed for it. */
async function service(t: Test) {
  const { pool, url } = await testDatabase(t)
  await migrate(pool)
  const role = `role_${randomUUID().slice(0, 8)}`
  await pool.query(`create role ${role} login; ${printGrants({ role })}`)
  const address = new URL(url)
  address.username = role
  const as = new pg.Pool({ connectionString: address.href, max: 1 })
  t.teardown(async () => {
    await as.end()
    await pool.query(`reassign owned by ${role} to postgres; drop owned by ${role}; drop role ${role}`)
  })
  return { pool, as, role }
}

t.test('no plugin may change or remove what stands in the audit', async t => {
  for (const plugin of PLUGINS)
    for (const right of RIGHTS[plugin].audit ?? []) t.ok(['select', 'insert'].includes(right), `${plugin}: ${right}`)
})

t.test('by the rights that are printed a service adds to the audit, and changes nothing in it', async t => {
  const { as } = await service(t)
  await writeAudit(storeOn(as), { actor: 'ann', action: 'look' })
  const refused = { code: '42501', message: /permission denied for table audit/ }
  for (const text of [
    `update steadfast.audit set actor = 'bob'`,
    'delete from steadfast.audit',
    'truncate steadfast.audit',
    `insert into steadfast.audit (actor, action) values ('ann', 'x') on conflict (id) do update set actor = 'bob'`
  ])
    await t.rejects(as.query(text), refused, text)
  await t.rejects(as.query('alter table steadfast.audit disable trigger all'), {
    code: '42501',
    message: /must be owner/
  })
  matchWhole(t, await listAudit(storeOn(as), {}, { limit: 9 }), [{ actor: 'ann', action: 'look' }])
  t.same(await findRisks(as), [])
})

t.test('a role that could change the audit is a risk, by whatever right', async t => {
  const { pool, as, role } = await service(t)
  const risk = (why: string) => `role ${role} may change or remove rows of table audit (${why}): `
  for (const [right, why] of [
    ['update', 'update'],
    ['update (note)', 'update'],
    ['delete', 'delete'],
    ['truncate', 'truncate'],
    ['update, delete', 'update, delete']
  ] as const) {
    await pool.query(`grant ${right} on steadfast.audit to ${role}`)
    const risks = await findRisks(as)
    t.equal(risks.length, 1, right)
    t.ok(risks[0]?.startsWith(risk(why)), right)
    await pool.query(`revoke ${right} on steadfast.audit from ${role}`)
  }
  t.same(await findRisks(as), [])
  await pool.query(
    `alter table steadfast.audit owner to ${role}; revoke update, delete, truncate on steadfast.audit from ${role}`
  )
  t.ok((await findRisks(as))[0]?.startsWith(risk('owner of the table')), 'who owns it can give itself the rights')
})
