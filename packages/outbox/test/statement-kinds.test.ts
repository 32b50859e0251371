import { matchWhole } from '@steadfast/dev-services'
import t from 'tap'
import { statementKinds } from '../src/statement-kinds.ts'

const kinds = (text: string) => statementKinds(text).map(({ kind, name }) => `${kind} ${name}`)

t.test('what divides a transaction', async t => {
  t.same(kinds('savepoint a'), ['savepoint a'])
  t.same(kinds('  /* x */ -- y\n SAVEPOINT "A b"'), ['savepoint "A b"'])
  t.same(kinds('rollback to a'), ['rollbackTo a'])
  t.same(kinds('ROLLBACK WORK TO SAVEPOINT a'), ['rollbackTo a'])
  t.same(kinds('rollback transaction to savepoint savepoint'), ['rollbackTo savepoint'])
  t.same(kinds("select 'x;'; savepoint a; rollback to a"), ['savepoint a', 'rollbackTo a'])
})

t.test('what ends or begins one', async t => {
  for (const text of ['begin', 'BEGIN WORK', 'commit', 'END', 'abort', 'rollback', 'rollback and chain', ';;commit'])
    matchWhole(t, kinds(text), [/^control /], text)
  t.same(kinds('start transaction'), ['control START TRANSACTION'])
  t.same(kinds("prepare transaction 'x'"), ['control PREPARE TRANSACTION'])
  t.same(kinds("commit prepared 'x'"), ['control COMMIT'])
  t.same(kinds("select $$;$$; select $a$ $$ ; $a$; select e'\\';'; commit"), ['control COMMIT'])
})

t.test('what only looks so', async t => {
  for (const text of [
    'select 1',
    'select commit from t',
    "insert into t values ('; commit')",
    'select 1 -- ; commit',
    'select 1 /* ; commit */',
    'insert into t ("begin", "end") values (1, 2)',
    'update t set "start" = 1; select "commit"',
    'do $$ begin perform 1; end $$',
    'create function f() returns int language sql begin atomic select 1; end',
    'prepare transaction as select 1',
    'release a',
    "select e'\\'; commit'",
    'start_date',
    ''
  ])
    t.same(kinds(text), [], text)
})
