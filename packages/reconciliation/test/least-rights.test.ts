import { randomUUID } from 'node:crypto'
import { printGrants } from '@steadfast/store'
import type pg from 'pg'
import t from 'tap'
import { everyPlugin } from './every-plugin.ts'

// a busy machine takes its time
t.setTimeout(240_000)

t.test('every plugin works by a role with no more rights than are printed for it', async t => {
  const role = `role_${randomUUID().slice(0, 8)}`
  const owned: pg.Pool[] = []
  await everyPlugin(t, async ({ pool, url }) => {
    if (owned.length === 0) await pool.query(`create role ${role} login`)
    owned.push(pool)
    await pool.query(printGrants({ role }))
    const address = new URL(url)
    address.username = role
    return address.href
  })
  for (const pool of owned) await pool.query(`drop owned by ${role}`)
  await owned[0]?.query(`drop role ${role}`)
})
