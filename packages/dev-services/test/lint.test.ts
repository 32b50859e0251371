import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
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
