import { relayOnce } from '@steadfast/relay/testing'
import fc from 'fast-check'
import t from 'tap'
import { sweepOnce } from '../src/testing.ts'
import { market, request } from './helper.ts'

// Whatever relay, sweeper, broker and an answer do in whatever order: every send the broker took is counted, none more,
// and the status only moves forward.
t.test('any interleaving counts exactly what the broker took', async t => {
  const { app, write, rows, broker, pool } = await market(t)
  const rank: Record<string, number> = { NEW: 0, PUBLISHED: 1, PARKED: 2, CONFIRMED: 3 }
  const step = fc.constantFrom('relay', 'relay', 'relay', 'sweep', 'sweep', 'sweep', 'up', 'up', 'down', 'confirm')
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async steps => {
      const event = request({ maxSends: 3, confirmWithinMs: 1000 })
      await pool.query('truncate steadfast.event')
      broker.up = true
      broker.log.length = 0
      await write([event])
      let status = 'NEW'
      for (const next of steps) {
        if (next === 'relay') await relayOnce(app)
        else if (next === 'sweep') await sweepOnce(app, { now: new Date(Date.now() + 3_600_000) })
        else if (next === 'confirm')
          await pool.query(`update steadfast.event set status = 'CONFIRMED' where status <> 'NEW'`)
        else broker.up = next === 'up'
        const [row] = await rows()
        if (row === undefined || row.count !== broker.log.length || row.count > 3) return false
        if ((rank[row.status] ?? -1) < (rank[status] ?? -1)) return false
        if (row.status === 'PARKED' && row.count !== 3) return false
        status = row.status
      }
      return true
    }),
    { numRuns: 25 }
  )
})
