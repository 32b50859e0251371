import { once, setMaxListeners } from 'node:events'
import { startChaos } from './chaos.ts'
import { chooseTransport } from './choose-transport.ts'
import { countMissing, type Figures } from './count-figures.ts'
import type { DemoOptions } from './parse-options.ts'
import { type Placed, placeOrders } from './place-orders.ts'
import { showProgress } from './show-progress.ts'
import { type Loop, startLoop } from './start-loop.ts'
import { waitUntilSettled } from './wait-until-settled.ts'

interface Kills {
  market: number
  deploy: number
  broker: number
}

/** Runs the whole story and resolves with the exit code. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const stopping = new AbortController()
  setMaxListeners(0, stopping.signal)
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stopping.abort())
  const say = (text: string) => void (options.json ? process.stderr : process.stdout).write(`${text}\n`)

  const choice = await chooseTransport(options.transport, process.env.KAFKA_BROKERS)
  say(`Broker: ${choice.why}.`)
  const loop = await startLoop({ choice, databaseUrl: process.env.DATABASE_URL })
  announce(loop, options, say)
  try {
    const code = await playStory(loop, options, stopping.signal, say)
    if (!options.exit && !stopping.signal.aborted) {
      say('Serving until Ctrl-C.')
      await once(stopping.signal, 'abort')
    }
    return code
  } catch (error) {
    say(`The demo failed: ${(error as Error).message}. Logs: ${loop.logs}`)
    return 1
  } finally {
    stopping.abort() // whoever still places orders
    await loop.stop()
  }
}

function announce(
  { market, deploy, marketDatabase, deployDatabase, choice, logs, operatorToken }: Loop,
  { json }: DemoOptions,
  say: (text: string) => void
) {
  const { transport } = choice
  if (json)
    process.stdout.write(
      `${JSON.stringify({ market: market.url, deploy: deploy.url, marketDatabase, deployDatabase, transport, operatorToken })}\n`
    )
  say(`market  ${market.url}/docs  ${marketDatabase}`)
  say(`deploy  ${deploy.url}/docs  ${deployDatabase}`)
  say(`a person's way in: curl -H 'authorization: Bearer ${operatorToken}' ${market.url}/reconciliation/counts`)
  say(`logs    ${logs}`)
}

/** Orders, faults where asked for, and the reckoning. */
async function playStory(
  loop: Loop,
  options: DemoOptions,
  signal: AbortSignal,
  say: (text: string) => void
): Promise<number> {
  const { ledgers, market, deploy } = loop
  const progress = showProgress(ledgers, options.orders, options.json ? process.stderr : process.stdout)
  const chaos = options.chaos ? startChaos(loop, { signal, note: progress.note }) : undefined
  const allowed = () => Math.ceil(options.orders * (chaos?.begun ?? 1))
  const placed = placeOrders({ market: market.url, orders: options.orders, rate: options.rate, allowed, signal })
  let figures: Figures | undefined
  try {
    await Promise.all([placed.done, chaos?.done])
    figures = await waitUntilSettled(ledgers, placed.ids.length, signal)
  } finally {
    progress.stop()
  }
  if (figures === undefined) return signal.aborted && !options.exit ? 0 : 1
  const kills: Kills = { market: market.kills, deploy: deploy.kills, broker: chaos?.brokerKills ?? 0 }
  return reckon(loop, { options, placed, figures, kills, say })
}

interface Reckoning {
  options: DemoOptions
  placed: Placed
  figures: Figures
  kills: Kills
  say: (text: string) => void
}

/** The last line, and whether anything is lost or doubled. */
async function reckon({ ledgers, choice }: Loop, { options, placed, figures, kills, say }: Reckoning): Promise<number> {
  const { unfinished, unsettled, p50Ms, p99Ms, ...counted } = figures
  const lost = unfinished + (await countMissing(ledgers.market, placed.ids))
  // an order that was taken twice is deployed twice
  const duplicateDeployments = counted.duplicateDeployments + Math.max(0, counted.accepted - options.orders)
  const last = {
    transport: choice.transport,
    orders: options.orders,
    ...counted,
    duplicateDeployments,
    lost,
    kills,
    p50Ms,
    p99Ms
  }
  const fine = lost === 0 && duplicateDeployments === 0 && unsettled === 0 && counted.accepted === options.orders
  if (options.json) {
    if (options.exit) process.stdout.write(`${JSON.stringify(last)}\n`)
  } else {
    say(JSON.stringify(last, null, 1).replaceAll('"', ''))
    say(`${placed.retries} requests of customers had to be repeated, with their Idempotency-Key.`)
    say(fine ? 'Nothing is lost, nothing doubled, every order reached its end.' : 'NOT all is well.')
  }
  return fine ? 0 : 1
}
