import { execFile } from 'node:child_process'
import { freePort, testDatabase } from '@steadfast/dev-services'
import t from 'tap'
import { migrate } from '../src/index.ts'

const cli = new URL('../src/cli.ts', import.meta.url).pathname

function steadfast(args: string[], url?: string): Promise<{ code: number; out: string; err: string }> {
  const { DATABASE_URL: _, ...env } = process.env
  if (url !== undefined) env.DATABASE_URL = url
  return new Promise(resolve => {
    execFile(process.execPath, [cli, ...args], { env }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err })
    })
  })
}

t.test('status, migrate, doctor', async t => {
  const { url, pool } = await testDatabase(t)
  t.match(await steadfast(['status', '--url', url]), { code: 1, out: /is at migration 0/ })
  t.match(await steadfast(['doctor'], url), { code: 1, out: /no tables of Steadfast/ })
  t.match(await steadfast(['migrate'], url), { code: 0, out: /applied 1/ })
  t.match(await steadfast(['migrate'], url), { code: 0, out: /nothing to do/ })
  t.match(await steadfast(['status'], url), { code: 0 })
  t.match(await steadfast(['doctor'], url), {
    code: 0,
    out: /^schema "steadfast" is as it should be\nwarning: role postgres may change or remove rows of table audit .*\n$/,
    err: ''
  })
  t.match(await steadfast(['migrate', '--schema', 'other'], url), { code: 0, out: /"other"/ })
  await pool.query('drop index steadfast.event_due')
  t.match(await steadfast(['doctor'], url), { code: 1, out: /^index event_due of table event is missing/ })
  await pool.query(`insert into steadfast.migration values (999, 'later')`)
  t.match(await steadfast(['migrate'], url), { code: 2, err: /Upgrade the packages/ })
})

t.test('doctor warns of a risk, and tells what is in the way of some plugins only when asked', async t => {
  const { url, pool } = await testDatabase(t)
  await migrate(pool)
  await pool.query(`create rule keep as on delete to steadfast.relay do instead nothing;
    insert into steadfast.audit (actor, action) values ('ann', 'x');
    alter table steadfast.audit alter id restart with 1`)
  t.match(await steadfast(['doctor'], url), { code: 1, out: /^Sequence steadfast.audit_id_seq gives 1 next/ })
  t.match(await steadfast(['doctor', '--plugins', 'relay,outbox'], url), {
    code: 0,
    out: /^schema "steadfast" is as it should be\nwarning: rule keep on table relay/
  })
  t.match(await steadfast(['doctor', '--plugins', 'relais'], url), {
    code: 2,
    err: /--plugins must be some of outbox,/
  })
})

t.test('grants prints the least that a role needs', async t => {
  t.same(await steadfast(['grants', '--role', 'My "role"', '--plugins', 'idempotency-key', '--schema', 'other']), {
    code: 0,
    err: '',
    out: `grant usage on schema other to "My ""role""";
grant select, insert, update on other.idempotency to "My ""role""";
grant select on other.migration to "My ""role""";
`
  })
  t.match(await steadfast(['grants']), { code: 2, err: /give --role/ })
})

t.test('wrong use is told from failure to work, and both from a finding', async t => {
  t.match(await steadfast(['--help']), { code: 0, out: /Exit codes/ })
  t.match(await steadfast([]), { code: 2, err: /one command/ })
  t.match(await steadfast(['toString']), { code: 2, err: /no such command: toString/ })
  t.match(await steadfast(['migrate']), { code: 2, err: /DATABASE_URL/ })
  t.match(await steadfast(['migrate', '--shema', 'x']), { code: 2, err: /--shema/ })
  t.match(await steadfast(['print', '--from', 'x']), { code: 2, err: /--from/ })
  t.match(await steadfast(['print', '--schema', 'X"']), { code: 2, err: /Not a plain identifier/ })
  const away = `postgres://postgres@127.0.0.1:${await freePort()}/none`
  t.match(await steadfast(['doctor', '--url', away]), { code: 2, err: /ECONNREFUSED/ })
})
