import { parseArgs } from 'node:util'

/** The options of the demo. */
export interface DemoOptions {
  orders: number
  /** Orders per second. */
  rate: number
  exit: boolean
  json: boolean
  chaos: boolean
  transport: 'kafka' | 'postgres' | undefined
}

export const USAGE = `Usage: pnpm demo [options]
  --orders N            place N orders, one in ten a real database (default 100)
  --rate N              orders per second (default 50; with --chaos so that they flow for half a minute)
  --transport NAME      kafka or postgres (default: what this machine has)
  --chaos               kill and cut everything at least once while orders flow
  --exit                stop when all is settled; exit code 0 only if nothing is lost or doubled
  --json                first line: where everything is; with --exit, last line: the figures
  --help
Environment: KAFKA_BROKERS uses an existing broker, DATABASE_URL an existing PostgreSQL (a role that may create databases and roles).`

/** The faults take about a minute; orders flow all the while. */
const CHAOS_SECONDS = 30

function positive(name: string, text: string): number {
  const value = Number(text)
  if (!(value > 0) || !Number.isFinite(value)) throw new TypeError(`--${name} must be a positive number`)
  return value
}

/** Reads the command line. `undefined`: help is wanted. @throws TypeError on what it does not understand */
export function parseOptions(args: readonly string[]): DemoOptions | undefined {
  const { values } = parseArgs({
    // `pnpm demo -- --exit` hands the first dashes on
    args: args[0] === '--' ? args.slice(1) : [...args],
    options: {
      orders: { type: 'string', default: '100' },
      rate: { type: 'string' },
      transport: { type: 'string' },
      exit: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      chaos: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return undefined
  const orders = positive('orders', values.orders)
  if (!Number.isInteger(orders)) throw new TypeError('--orders must be a whole number')
  const { transport, exit, json, chaos } = values
  if (transport !== undefined && transport !== 'kafka' && transport !== 'postgres')
    throw new TypeError(`--transport must be kafka or postgres, not ${transport}`)
  const usual = chaos ? Math.min(50, orders / CHAOS_SECONDS) : 50
  const rate = values.rate === undefined ? usual : positive('rate', values.rate)
  return { orders, rate, exit, json, chaos, transport }
}
