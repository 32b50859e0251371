import { testDatabase } from '@steadfast/dev-services'
import pg from 'pg'
import t from 'tap'
import { everyPlugin } from './every-plugin.ts'

// a busy machine takes its time
t.setTimeout(240_000)

t.test('every plugin works where the host has parsers of its own for the whole process', async t => {
  const types: Record<string, number> = pg.types.builtins
  const before = Object.values(types).map(type => [type, pg.types.getTypeParser(type)] as const)
  t.teardown(() => {
    for (const [type, parser] of before) pg.types.setTypeParser(type, parser as (text: string) => unknown)
    pg.defaults.parseInputDatesAsUTC = false
  })
  // Nothing can be done by mistake with what the host has made of a value.
  for (const [type] of before) pg.types.setTypeParser(type, text => ({ host: text }))
  pg.defaults.parseInputDatesAsUTC = true
  const { pool } = await testDatabase(t)
  t.strictSame((await pool.query('select 1 as n, true as b')).rows, [{ n: { host: '1' }, b: { host: 't' } }])
  await everyPlugin(t)
})

t.test('and where it leaves what the driver would convert as text', async t => {
  const types: Record<string, number> = pg.types.builtins
  const before = Object.values(types).map(type => [type, pg.types.getTypeParser(type)] as const)
  t.teardown(() => {
    for (const [type, parser] of before) pg.types.setTypeParser(type, parser as (text: string) => unknown)
  })
  for (const [type] of before) pg.types.setTypeParser(type, text => text)
  await everyPlugin(t)
})
