import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { root } from '../src/repository.ts'

t.test('the files and folders that ARCHITECTURE.md names exist', async t => {
  const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8')
  const named = [...text.matchAll(/`((?:packages|examples|lint)\/[^`\s]+)`/g)].map(([, path = '']) => path)
  t.ok(named.length > 20)
  t.strictSame(
    named.filter(path => !existsSync(join(root, path))),
    []
  )
})

t.test('every package has its line', async t => {
  const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8')
  const { references } = JSON.parse(readFileSync(join(root, 'packages/tsconfig.json'), 'utf8')) as {
    references: { path: string }[]
  }
  const packages = references.map(({ path }) => path).filter(path => /^\.\/[^.]+$/.test(path))
  const house = text.slice(text.indexOf('## The house'), text.indexOf('```'))
  t.strictSame(
    packages.filter(path => !house.includes(`\`${path.slice(2)}\``)),
    []
  )
})
