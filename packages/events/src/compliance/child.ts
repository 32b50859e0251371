import type { Delivery, Transport } from '../transport.ts'

// The process that `resume after SIGKILL` kills: joins the group, acknowledges the first deliveries, and says so.

/** What the parent tells the child, as JSON. */
export interface ChildOrder {
  module: string
  args: unknown
  topic: string
  group: string
  /** How many deliveries to acknowledge. */
  acknowledge: number
  /** How many messages the topic holds. */
  total: number
}

/** What the child tells its parent. */
export type ChildReport = { acknowledged: string[] } | { failed: string }

async function run(order: ChildOrder): Promise<void> {
  const { create } = (await import(order.module)) as { create(args: unknown): Transport | Promise<Transport> }
  const transport = await create(order.args)
  const seen: Delivery[] = []
  const subscription = await transport.subscribe(
    { group: order.group, topics: [order.topic], maxInFlight: order.total },
    delivery => {
      seen.push(delivery)
      if (seen.length <= order.acknowledge) delivery.done()
    }
  )
  const rest = BigInt(order.total - order.acknowledge)
  while (seen.length < order.total || (await subscription.lag()) !== rest) {
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  report({ acknowledged: seen.slice(0, order.acknowledge).map(delivery => delivery.raw.toString()) })
}

function report(what: ChildReport): void {
  process.send?.(what)
}

const order = process.argv[2]
if (process.send && order) {
  process.on('disconnect', () => process.exit(1))
  run(JSON.parse(order)).catch(error => report({ failed: String(error?.stack ?? error) }))
}
