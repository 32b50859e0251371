import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { CRASH_POINTS } from '../src/crash/points.ts'
import { root } from '../src/mutants/copy-tree.ts'
import { problemOf as gapOf, readGuarantees, rowsOf, spansOf, WITHOUT_MUTANT } from '../src/mutants/guarantees.ts'
import { MUTANTS } from '../src/mutants/run-mutants.ts'

// What the documents say is tested must be there by its name, or they would slowly become wrong.

const read = (path: string) => readFileSync(join(root, path), 'utf8')
const FAULTS = 'packages/proof/FAULTS.md'
const GUARANTEES = 'GUARANTEES.md'
const PROTOCOLS = ['relay', 'sweeper', 'inbox'].map(name => `packages/${name}/PROTOCOL.md`)

const chaos = globSync('packages/proof/src/chaos/**/*.ts', { cwd: root }).map(read).join('\n')
const QUOTES = [`'`, `"`, '`']
const isQuoted = (source: string, text: string) => QUOTES.some(quote => source.includes(quote + text + quote))

/** What a code span names: a test, or something of the proof. `undefined`: it names nothing of the kind. */
function problemOf(span: string): string | null | undefined {
  const [file, title] = span.split(' › ')
  if (file !== undefined && title !== undefined) {
    if (!existsSync(join(root, file))) return `${file} does not exist`
    return isQuoted(read(file), title) ? null : `${file} has no test "${title}"`
  }
  const [, kind, name = ''] = /^(mutant|crash point|fault kind|history) (.+)$/.exec(span) ?? []
  const exists = {
    mutant: () => MUTANTS.some(mutant => mutant.name === name),
    'crash point': () => CRASH_POINTS.some(point => point.at === `steadfast:${name}`),
    'fault kind': () => isQuoted(chaos, name),
    history: () => ['event', 'inbox'].includes(name)
  }[kind ?? '']
  if (exists === undefined) return undefined
  return exists() ? null : `there is no ${span}`
}

/** A place for a name, in an explanation. */
const isExample = (span: string) => span.includes('…')
const isReference = (span: string) => problemOf(span) === null

for (const document of [FAULTS, GUARANTEES, ...PROTOCOLS]) {
  t.test(`${document}: what it names exists`, async t => {
    const text = read(document)
    const problems = spansOf(text)
      .filter(span => !isExample(span))
      .map(problemOf)
      .filter(problem => typeof problem === 'string')
    t.same(problems, [])
    for (const [, target = ''] of text.matchAll(/\]\(([^)#]+)[^)]*\)/g))
      t.ok(/^https?:/.test(target) || existsSync(join(root, dirname(document), target)), `a link to ${target}`)
  })
}

t.test('a wrong reference is noticed', async t => {
  const self = 'packages/proof/test/documents.test.ts'
  for (const [span, problem] of [
    [`${self} › a wrong reference is noticed`, null],
    [`${self} › a wrong reference`, /has no test/],
    ['packages/proof/test/none.test.ts › a title', /does not exist/],
    ['mutant mark-without-guard', null],
    ['mutant mark', /no mutant/],
    ['crash point relay:batch-sent', null],
    ['crash point batch-sent', /no crash point/],
    ['fault kind SIGKILL', null],
    ['fault kind earthquake', /no fault kind/],
    ['history event', null],
    ['history market', /no history/],
    ['relay.stats()', undefined]
  ] as const)
    t.match(problemOf(span), problem, span)
})

t.test('each fault and each invariant is answered once, by a test or by a reason why it cannot apply', async t => {
  const rows = rowsOf(read(FAULTS)).filter(([number]) => number !== '#')
  const wanted = [
    ...Array.from({ length: 60 }, (_, i) => `${i + 1}`).filter(number => number !== '37'),
    'R',
    ...Array.from({ length: 15 }, (_, i) => `I${i + 1}`)
  ]
  // Kinds that were found later have no number of their own.
  const numbers = rows.map(([number]) => number).filter((number, i, all) => number !== 'R' || all.indexOf('R') === i)
  t.same(numbers.toSorted(), wanted.toSorted())
  for (const cells of rows) {
    t.equal(cells.length, cells[0]?.startsWith('I') ? 3 : 4, `${cells[0]}: its cells`)
    t.ok(spansOf(cells.at(-1) ?? '').some(isReference) || /^Cannot apply: ./.test(cells[2] ?? ''), `${cells[0]}`)
  }
})

t.test('each guarantee has a fault and a test', async t => {
  const rows = rowsOf(read(GUARANTEES)).filter(([name]) => name !== 'guarantee')
  t.ok(rows.length >= 15, `${rows.length} guarantees`)
  for (const [name, fault, tests = ''] of rows) {
    t.ok(fault !== '', `${name}: a fault`)
    t.ok(spansOf(tests).some(isReference), `${name}: a test`)
  }
})

t.test('each guarantee has a mutant that a test it names catches, or a reason why there is none', async t => {
  const guarantees = readGuarantees()
  for (const guarantee of guarantees) t.equal(gapOf(guarantee), undefined, guarantee.name)
  const names = guarantees.map(({ name }) => name)
  t.same(
    Object.keys(WITHOUT_MUTANT).filter(name => !names.includes(name)),
    [],
    'reasons for guarantees that are there'
  )
})

t.test('a guarantee that nothing breaks is noticed', async t => {
  const row = (tests: string) => readGuarantees(`| guarantee | fault | test |\n|---|---|---|\n| G | f | ${tests} |`)[0]
  const failures =
    '`packages/relay/test/failures.test.ts › a refused event is parked with the reason, alone; its key goes on`'
  for (const [tests, problem] of [
    [failures, /names no mutant/],
    ['`mutant mark-before-send`', /names no mutant/],
    [`\`packages/relay/test/order.test.ts › x\`, \`mutant mark-before-send\``, /names no mutant/],
    [`${failures}, \`mutant mark-before-send\``, undefined],
    ['`mutant sweep-by-snapshot`, `history inbox`', /names no mutant/],
    ['`mutant sweep-by-snapshot`, `history event`', undefined]
  ] as const) {
    const guarantee = row(tests)
    t.match(guarantee && gapOf(guarantee), problem, tests)
  }
})

t.test('each non-guarantee has an example', async t => {
  const [, text = ''] = read(GUARANTEES).split('\n## Not guaranteed\n')
  const items =
    text
      .split('\n## ')[0]
      ?.split(/\n(?=- )/)
      .filter(item => item.startsWith('- ')) ?? []
  t.ok(items.length >= 10, `${items.length} of them`)
  for (const item of items) t.match(item, /\*Example:\*/, item.slice(0, 60))
})

t.test('the promise stands in its words, and no other is made', async t => {
  const promise = 'at-least-once delivery, exactly-once effect in the database, order per key, nothing lost silently'
  t.match(read(GUARANTEES).replaceAll(/\s+/g, ' ').toLowerCase(), promise)
  t.match(read('README.md'), '](GUARANTEES.md)')
  for (const path of globSync('{*,packages/*/*,examples/*,examples/*/*}.md', { cwd: root }))
    t.notMatch(read(path), /exactly[- ]once[- ]deliver/i, path)
})
