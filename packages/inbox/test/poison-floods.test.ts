import t from 'tap'
import { BUGS, burst } from './poison-burst.ts'

// a busy machine takes its time
t.setTimeout(300_000)

for (const bug of Object.keys(BUGS))
  t.test(`a burst larger than maxInFlight: ${bug}`, async t => {
    await burst(t, { bug, poison: 300, maxInFlight: 20 })
  })

t.test('1,000 deliveries whose handler fails for ever: held, all good ones handled', async t => {
  await burst(t, { bug: 'a TypeError', poison: 1000, maxInFlight: 100 })
})
