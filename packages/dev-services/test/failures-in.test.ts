import t from 'tap'
import { failuresIn } from '../src/run-tap.ts'

// The indents of tap: a test in a file has four spaces, one in it eight.
const OUTPUT = `TAP version 14
# Subtest: packages/a.test.ts
    # Subtest: orders
        ok 1 - fine
        # Subtest: in stock
            not ok 1 - one is two
              ---
              diff: |
                -2
              ...
            not ok 2 - later # TODO
            1..2
        not ok 2 - in stock # time=2ms
          ---
          at: here
          ...
    not ok 1 - orders # time=3ms
    # Subtest: carts
        ok 1 - fine
    ok 2 - carts # time=3ms
not ok 1 - packages/a.test.ts # time=9ms
# Subtest: packages/b.test.ts
not ok 2 - packages/b.test.ts # time=5000ms
  ---
  signal: SIGKILL
  ...
1..2
# { total: 3, pass: 2, fail: 1 }
`

t.test('each failure is told once, with the tests around it', async t => {
  t.strictSame(failuresIn(OUTPUT), [
    'packages/a.test.ts > orders > in stock\nnot ok 1 - one is two\n  ---\n  diff: |\n    -2\n  ...',
    '\nnot ok 2 - packages/b.test.ts # time=5000ms\n  ---\n  signal: SIGKILL\n  ...'
  ])
})

t.test('a long list is cut, and a green run has none', async t => {
  t.equal(failuresIn('not ok 1 - x\n'.repeat(100)).length, 20)
  t.strictSame(failuresIn('ok 1 - not ok 2\n# not ok\n'), [])
})
