import pg from 'pg'
import t from 'tap'
import { everyPlugin } from './every-plugin.ts'

// a busy machine takes its time
t.setTimeout(240_000)

const SETTINGS = {
  datestyle: `'ISO, DMY'`,
  intervalstyle: 'sql_standard',
  timezone: `'America/St_Johns'`,
  bytea_output: 'escape',
  extra_float_digits: '0',
  search_path: `''`,
  statement_timeout: `'20s'`,
  lock_timeout: `'5s'`,
  idle_in_transaction_session_timeout: `'20s'`,
  standard_conforming_strings: 'off',
  escape_string_warning: 'off',
  transform_null_equals: 'on',
  quote_all_identifiers: 'on',
  row_security: 'off',
  synchronous_commit: 'off'
}

for (const isolation of ['repeatable read', 'serializable'])
  t.test(`every plugin works on a database with strange settings, ${isolation} among them`, async t => {
    await everyPlugin(t, async ({ pool, url }) => {
      const name = new URL(url).pathname.slice(1)
      const settings = { ...SETTINGS, default_transaction_isolation: `'${isolation}'` }
      for (const [setting, value] of Object.entries(settings))
        await pool.query(`alter database ${name} set ${setting} = ${value}`)
      const fresh = new pg.Client({ connectionString: url })
      await fresh.connect()
      const { rows } = await fresh.query('show default_transaction_isolation')
      t.same(rows, [{ default_transaction_isolation: isolation }])
      await fresh.end()
      return undefined
    })
  })
