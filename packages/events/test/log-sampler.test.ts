import t from 'tap'
import { createLogSampler } from '../src/log-sampler.ts'

t.test('ten lines of a source in a minute; the next minute says how many were left out', async t => {
  let now = 0
  const sample = createLogSampler(() => now)
  const written = Array.from({ length: 25 }, () => sample('a').write).filter(Boolean)
  t.equal(written.length, 10)
  t.same(sample('b'), { write: true, omitted: 0 })
  now = 60_000
  t.same(sample('a'), { write: true, omitted: 15 })
  t.same(sample('b'), { write: true, omitted: 0 })
})

t.test('sources without number do not fill the memory', async t => {
  const sample = createLogSampler(() => 0)
  const written = Array.from({ length: 5000 }, (_, i) => sample(`s${i}`).write).filter(Boolean)
  t.equal(written.length, 1010)
})
