import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { root } from '../src/repository.ts'

const forbidden = [
  't.match(rows, [])',
  "t.match(await rows('due'), [{ n: 1 }], 'words')",
  't.match(body, { items: [] })',
  't.match(body, { pages: { items: [{ id }] } })',
  't.match(rows, Array(3).fill({ n: 1 }))',
  't.match(rows, ids.map(id => ({ id })))'
]
const allowed = ["t.match(rows.map(({ n }) => [n])[0], { n: 1 }, 'words')", 't.match(text, /a/)', 't.same(rows, [])']

t.test('lint forbids t.match with an array in its pattern, which passes whatever else is found', async t => {
  const dir = t.testdir()
  const plugin = join(root, 'lint/no-array-match.grit')
  writeFileSync(join(dir, 'biome.json'), JSON.stringify({ root: true, plugins: [plugin] }))
  writeFileSync(join(dir, 'lines.test.ts'), [...forbidden, ...allowed].join('\n'))
  const command = [join(root, 'node_modules/.bin/biome'), 'lint', '--reporter=json', '--only=plugin', '.'] as const
  const { stdout } = spawnSync(command[0], command.slice(1), { cwd: dir, encoding: 'utf8' })
  const lines: number[] = JSON.parse(stdout).diagnostics.map(
    (found: { location: { start: { line: number } } }) => found.location.start.line
  )
  t.same(
    lines.toSorted((a, b) => a - b),
    forbidden.map((_, i) => i + 1)
  )
})

t.test('lint forbids imports in a circle, against the arrows, and of values of other plugins', async t => {
  const files: Record<string, [text: string, rule?: string]> = {
    'packages/events/src/store.ts': ["export * from '@steadfast/store'", 'lint/style/noRestrictedImports'],
    'packages/store/src/outbox.ts': [
      "export type { Outbox } from '@steadfast/outbox'",
      'lint/style/noRestrictedImports'
    ],
    'packages/store/src/events.ts': ["export * from '@steadfast/events/runtime'"],
    'packages/transport-kafka/src/store.ts': ["export * from '@steadfast/store'", 'lint/style/noRestrictedImports'],
    'packages/relay/src/value.ts': [
      "import { errors } from '@steadfast/outbox'\n\nexport const all = [errors]",
      'plugin'
    ],
    'packages/relay/src/type.ts': ["import type { Outbox } from '@steadfast/outbox'\n\nexport type Own = Outbox"],
    'packages/relay/src/a.ts': [
      "import type { B } from './b.ts'\n\nexport type A = B | 1",
      'lint/suspicious/noImportCycles'
    ],
    'packages/relay/src/b.ts': [
      "import type { A } from './a.ts'\n\nexport type B = A | 2",
      'lint/suspicious/noImportCycles'
    ]
  }
  const dir = t.testdir()
  const { plugins, vcs: _, $schema: __, ...config } = JSON.parse(readFileSync(join(root, '.biome.json'), 'utf8'))
  const own = { ...config, root: true, plugins: plugins.map((path: string) => join(root, path)) }
  writeFileSync(join(dir, 'biome.json'), JSON.stringify(own))
  for (const [path, [text]] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), `${text}\n`)
  }
  const { stdout } = spawnSync(join(root, 'node_modules/.bin/biome'), ['lint', '--reporter=json', '.'], {
    cwd: dir,
    encoding: 'utf8'
  })
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { category: string; location: { path: string } }[] }
  const found = diagnostics.map(({ category, location }) => `${location.path}: ${category}`).toSorted()
  const expected = Object.entries(files).flatMap(([path, [, rule]]) => (rule === undefined ? [] : [`${path}: ${rule}`]))
  t.strictSame(found, expected.toSorted())
})
