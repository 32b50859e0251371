import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

const here = join(import.meta.dirname, '..')
const readmePath = join(here, '../../README.md')

function source(name: string): string {
  return readFileSync(join(here, `${name}.ts`), 'utf8')
}

/** The root README with the files in their regions. `UPDATE_README=1` writes it. */
function filled(readme: string): string {
  return readme.replaceAll(/<!-- region ([\w-]+) -->\n[\s\S]*?<!-- endregion -->/g, (_, name: string) =>
    ['<!-- region ', name, ' -->\n```ts\n', source(name), '```\n<!-- endregion -->'].join('')
  )
}

t.test('the root README shows the files that the tests run', async t => {
  const readme = readFileSync(readmePath, 'utf8')
  if (process.env.UPDATE_README === '1') writeFileSync(readmePath, filled(readme))
  t.equal(readFileSync(readmePath, 'utf8'), filled(readme), 'update it with UPDATE_README=1')
})

t.test('safety costs at most twelve lines', async t => {
  const lines = (name: string) =>
    source(name)
      .split('\n')
      .filter(line => line.trim() !== '').length
  t.ok(
    lines('safe-market') - lines('naive-market') <= 12,
    `${lines('naive-market')} naive, ${lines('safe-market')} safe`
  )
})
