import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { matchWhole } from '@steadfast/dev-services'
import t from 'tap'
import { eventHistory } from '../src/histories/event/event-history.ts'
import type { HistoryKind } from '../src/histories/history-kind.ts'
import { inboxHistory } from '../src/histories/inbox/inbox-history.ts'
import { describeFailure } from '../src/histories/part.ts'
import { runHistories } from '../src/histories/run-histories.ts'
import { applyEdits, root, StaleMutant } from '../src/mutants/copy-tree.ts'
import { chooseMutants, MUTANTS } from '../src/mutants/run-mutants.ts'
import { runParts } from '../src/run-parts.ts'

const url = process.env.TEST_PG_URL ?? ''
const COUNT = 24

for (const kind of [eventHistory, inboxHistory] as HistoryKind<unknown>[]) {
  t.test(`histories of the ${kind.name} model hold, and the same seed gives the same ones`, async t => {
    const seen: [string[], string[]] = [[], []]
    for (const run of [0, 1] as const) {
      const recorded = { ...kind, run: recording(kind, seen[run]) }
      const { failures, histories } = await runHistories(recorded, { url, count: COUNT, seed: 11, lanes: 2 })
      t.same(failures.map(describeFailure), [])
      t.equal(histories, COUNT)
    }
    t.same(seen[0].sort(), seen[1].sort())
  })
}

function recording<O>(kind: HistoryKind<O>, into: string[]): HistoryKind<O>['run'] {
  return async (lane, operations, trail) => {
    into.push(JSON.stringify(operations))
    await kind.run(lane, operations, trail)
  }
}

t.test('a database that departs from the model turns a history red, small, and its command reruns it', async t => {
  const wrong: typeof eventHistory = {
    ...eventHistory,
    async openLane(url, schema) {
      const lane = await eventHistory.openLane(url, schema)
      await lane.connections[0]?.client.query(
        `create function ${schema}.spoil() returns trigger language plpgsql as 'begin new.count := new.count + 1; return new; end';
         create trigger spoil before update on ${schema}.event for each row when (old.count = 1) execute function ${schema}.spoil()`
      )
      return lane
    }
  }
  const { failures } = await runHistories(wrong, { url, count: 500, seed: 3, lanes: 1 })
  const [failure] = failures
  t.match(failure, { kind: 'event', message: /count is 3, expected 2|count is 2, expected 1/ })
  t.ok((failure?.trail.length ?? 99) <= 8, `shrunk to ${failure?.trail.length} steps`)
  t.match(failure && describeFailure(failure), `--histories event --seed ${failure?.seed} --path ${failure?.path}`)
  const again = await runHistories(wrong, {
    url,
    count: 1,
    seed: failure?.seed ?? 0,
    path: failure?.path,
    shrink: false
  })
  matchWhole(t, again.failures, [{ message: /count is/ }])
})

t.test('a mutant that does not fit is stale, and changes nothing', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'steadfast-stale-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  mkdirSync(join(dir, 'src'))
  const file = join(dir, 'src', 'a.ts')
  writeFileSync(file, 'one two two')
  const edit = (find: string) => ({ file: 'src/a.ts', find, replace: 'x' })
  for (const find of ['three', 'two']) t.throws(() => applyEdits(dir, [edit('one'), edit(find)]), StaleMutant)
  t.throws(() => applyEdits(dir, [{ file: 'src/b.ts', find: 'a', replace: 'b' }]), StaleMutant)
  t.equal(readFileSync(file, 'utf8'), 'one two two')
  const undo = applyEdits(dir, [edit('one'), { file: 'src/a.ts', find: 'x two', replace: '$&' }])
  t.equal(readFileSync(file, 'utf8'), '$& two')
  undo()
  t.equal(readFileSync(file, 'utf8'), 'one two two')
})

t.test('every mutant fits the tree, has a name of its own, and what is to catch it exists', async t => {
  t.ok(MUTANTS.length >= 20)
  t.equal(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length)
  for (const { name, edits, catchBy } of MUTANTS) {
    for (const { file, find, replace } of edits) {
      t.equal(readFileSync(join(root, file), 'utf8').split(find).length - 1, 1, `${name}: ${file}`)
      t.not(find, replace)
    }
    for (const by of [catchBy].flat()) if ('test' in by) t.ok(readFileSync(join(root, by.test)), name)
  }
  t.same(chooseMutants(3, 7), chooseMutants(3, 7))
  t.notSame(chooseMutants(3, 7), chooseMutants(3, 8))
})

t.test('the parts are added up; a violation is counted', async t => {
  const part = (name: string, violations: string[]) => ({
    name,
    run: async () => ({ figures: { histories: 2 }, violations })
  })
  const [seed, commit] = [2 ** 31 + process.pid, 'test']
  const options = { seed, profile: 'ci', postgresUrl: url, log: () => {} } as const
  const parts = [part('good', []), part('bad', ['it broke'])]
  const { figures, violations } = await runParts(parts, options, { resume: false, commit })
  t.match(figures, { seed, histories: 4, crashPoints: 0, violations: 1, mutants: 0, mutantsCaught: 0 })
  t.same(violations, ['it broke'])
  const later = [part('good', ['not run again']), part('bad', [])]
  t.match((await runParts(later, options, { resume: true, commit })).figures, { histories: 4, violations: 0 })
  const changed = { resume: true, commit: undefined }
  matchWhole(
    t,
    (await runParts(later, options, changed)).violations,
    ['not run again'],
    'another tree: nothing is taken over'
  )
  rmSync(join(root, 'packages/proof/node_modules/.cache/proof', `${commit}-${seed}-ci-good.json`), { force: true })
  rmSync(join(root, 'packages/proof/node_modules/.cache/proof', `${commit}-${seed}-ci-bad.json`), { force: true })
})
