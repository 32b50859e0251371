import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { until } from '@steadfast/dev-services'
import t from 'tap'
import { chooseTransport } from '../choose-transport.ts'
import { parseOptions } from '../parse-options.ts'

// a busy machine takes its time
t.setTimeout(240_000)

const DEMO = fileURLToPath(new URL('../demo.ts', import.meta.url))

type Tap = { teardown(handler: () => unknown): void }

/** The demo as a person runs it, its output piped. */
function runDemo(t: Tap, ...args: string[]) {
  const { NODE_OPTIONS: _, KAFKA_BROKERS: __, DATABASE_URL: ___, ...env } = process.env
  const child: ChildProcess = spawn(process.execPath, [DEMO, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const seen = { out: '', err: '' }
  child.stdout?.setEncoding('utf8').on('data', text => {
    seen.out += text
  })
  child.stderr?.setEncoding('utf8').on('data', text => {
    seen.err += text
  })
  t.teardown(() => child.kill('SIGKILL'))
  return { child, seen, ended: once(child, 'close') }
}

const answers = (url: string) =>
  fetch(`${url}/health/live`).then(
    () => true,
    () => false
  )

t.test('the first line says where everything is, the last what came of it', async t => {
  const { seen, ended } = runDemo(t, '--transport', 'postgres', '--orders', '20', '--exit', '--json')
  t.strictSame(await ended, [0, null])
  const lines = seen.out.trimEnd().split('\n')
  t.equal(lines.length, 2, 'nothing else on standard output')
  t.match(JSON.parse(lines[0] ?? ''), {
    market: /^http:/,
    deploy: /^http:/,
    marketDatabase: /^postgres:.*market$/,
    deployDatabase: /^postgres:.*deploy$/,
    transport: 'postgres',
    operatorToken: /^[\w-]{32}$/
  })
  t.strictSame(Object.keys(JSON.parse(lines[1] ?? '')).sort(), FIGURES)
  const kills = { market: 0, deploy: 0, broker: 0 }
  t.match(JSON.parse(lines[1] ?? ''), {
    orders: 20,
    accepted: 20,
    deployed: 20,
    realDeployments: 2,
    confirmed: 20,
    lost: 0,
    kills
  })
  t.match(seen.err, 'PostgreSQL as the broker, because --transport says so')
  t.notMatch(seen.out + seen.err, '\u001b', 'no escape codes')
})

const FIGURES = [
  'accepted',
  'confirmed',
  'deployed',
  'duplicateDeployments',
  'failed',
  'kills',
  'lost',
  'orders',
  'p50Ms',
  'p99Ms',
  'parked',
  'realDeployments',
  'replayed',
  'resent',
  'transport'
]

t.test('it serves until it is interrupted, and leaves nothing behind', async t => {
  const { child, seen, ended } = runDemo(t, '--transport', 'postgres', '--orders', '2')
  await until(() => seen.out.includes('Serving'), { timeoutMs: 60_000, what: 'the demo to serve' })
  const [market = '', deploy = ''] = seen.out.match(/http:\/\/[\d.:]+/g) ?? []
  t.ok((await answers(market)) && (await answers(deploy)))
  child.kill('SIGINT')
  t.strictSame(await ended, [0, null])
  t.notOk((await answers(market)) || (await answers(deploy)), 'both services have ended')
})

t.test('when it is killed, its services end too', async t => {
  const { child, seen } = runDemo(t, '--transport', 'postgres', '--orders', '2', '--json')
  await until(() => seen.out.includes('\n'), { timeoutMs: 60_000, what: 'the first line' })
  const { market, deploy } = JSON.parse(seen.out)
  child.kill('SIGKILL')
  await until(async () => !(await answers(market)) && !(await answers(deploy)), { what: 'both services to end' })
})

t.test('options', async t => {
  t.strictSame(parseOptions([]), {
    orders: 100,
    rate: 50,
    exit: false,
    json: false,
    chaos: false,
    transport: undefined
  })
  t.match(parseOptions(['--', '--orders', '300', '--chaos', '--exit', '--json']), {
    orders: 300,
    rate: 10,
    chaos: true,
    exit: true
  })
  t.match(parseOptions(['--transport', 'kafka', '--rate', '2.5']), { transport: 'kafka', rate: 2.5 })
  t.equal(parseOptions(['--help']), undefined)
  for (const wrong of [
    ['--orders', '0'],
    ['--orders', '1.5'],
    ['--rate', 'x'],
    ['--transport', 'rabbit'],
    ['--ordres', '3']
  ])
    t.throws(() => parseOptions(wrong), TypeError, wrong.join(' '))
})

t.test('which broker, and why', async t => {
  const here = async () => ({ ok: true }) as const
  const absent = async () => ({ ok: false, reason: 'no java found' }) as const
  t.match(await chooseTransport(undefined, 'k:9092', absent), { transport: 'kafka', brokers: 'k:9092' })
  t.match(await chooseTransport(undefined, undefined, here), { transport: 'kafka', why: /Java and Maven are here/ })
  t.match(await chooseTransport(undefined, undefined, absent), { transport: 'postgres', why: /no java found/ })
  t.match(await chooseTransport('postgres', 'k:9092', here), { transport: 'postgres', why: /--transport/ })
  await t.rejects(chooseTransport('kafka', undefined, absent), /no java found/)
})
