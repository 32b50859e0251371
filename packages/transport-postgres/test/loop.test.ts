import { until } from '@steadfast/dev-services'
import t from 'tap'
import { startLoop } from '../src/loop.ts'

t.test('a poke during a run makes one more run; many pokes make one', async t => {
  let runs = 0
  let release: (() => void) | undefined
  const loop = startLoop({
    async run() {
      runs++
      await new Promise<void>(resolve => {
        release = resolve
      })
      return Number.POSITIVE_INFINITY
    },
    onError: () => {}
  })
  for (let i = 0; i < 5; i++) loop.poke()
  release?.()
  await until(() => runs === 2)
  release?.()
  await loop.begun
  loop.poke()
  await until(() => runs === 3)
  const stopped = loop.stop()
  release?.()
  await stopped
  loop.poke()
  t.equal(runs, 3)
})

t.test('failures are told and tried again; stop does not wait for the pause', async t => {
  let failures = 0
  const loop = startLoop({
    run: async () => {
      if (failures < 2) throw new Error('not yet')
      return Number.POSITIVE_INFINITY
    },
    onError: () => {
      failures++
    }
  })
  await loop.begun
  await until(() => failures === 2)
  await loop.stop()
  await loop.stop()
  t.equal(failures, 2)
})
