import outbox from '@steadfast/outbox'
import relay from '@steadfast/relay'
import { Counted } from './counted.ts'
import { serve } from './serve.ts'

await serve(process.env.SENDER_URL, async app => {
  await app.register(outbox, { source: 'sender', contracts: [Counted] })
  await app.register(relay, { batchSize: 200, beatIntervalMs: 200, deadAfterMs: 1000 })
})
