import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { compiledPath } from '@steadfast/dev-services'
import type { Journal } from './journal.ts'
import type { HarnessMessage, ServiceMessage } from './services/messages.ts'

export interface ProcessOptions {
  name: string
  service: 'market' | 'deploy'
  port: number
  env: Record<string, string>
  logFile: string
  journal: Journal
}

/** A service in a process of its own, which the harness may hurt; it is started again whenever it has ended. */
export interface ServiceProcess {
  readonly name: string
  readonly service: 'market' | 'deploy'
  readonly url: string
  readonly kills: number
  /** SIGKILL; resolves when the process has ended. With `hold` it stays down until `start()`. */
  kill9(options?: { hold?: boolean }): Promise<void>
  /** SIGTERM; resolves when the process has ended. With `hold` it stays down until `start()`. */
  terminate(options?: { hold?: boolean }): Promise<void>
  start(): void
  /** SIGSTOP and SIGCONT. */
  pause(): void
  resume(): void
  shiftClock(ms: number): void
  /** It ends by SIGKILL when it reaches the point for the nth time; `crashed` resolves when it has. */
  crashAt(point: string, nth?: number): Promise<{ crashed: Promise<void> }>
  /** What it is at; undefined when it does not say. */
  inspect(): Promise<string | undefined>
  /** `undefined` when it can work, else its reasons. */
  unfitness(): Promise<string | undefined>
}

const RESTART_MS = 250
const INSPECT_MS = 3000
const preload = new URL('services/preload.ts', import.meta.url).href
type Cause = 'SIGKILL' | 'SIGTERM' | 'crash-point'

interface Life {
  child: ChildProcess
  listening: boolean
  cause: Cause | undefined
  endingSince: number
}

/** Starts a service and keeps it running. It never outlives this process: see `services/preload.ts`. */
export function superviseService(options: ProcessOptions): ServiceProcess {
  const { name, service, port, journal } = options
  const url = `http://127.0.0.1:${port}`
  const log = openSync(options.logFile, 'a')
  let life: Life | undefined
  let held = false
  let kills = 0

  const start = () => {
    held = false
    if (life !== undefined) return
    life = spawnService(options, log)
    void watch(life)
  }
  const watch = async (watched: Life) => {
    const [code, signal] = (await once(watched.child, 'exit')) as [number | null, string | null]
    if (life === watched) life = undefined
    const { cause, listening, endingSince } = watched
    // one that could not start, because a server was away, is simply started again
    const entry = { target: name, code, signal, tookMs: cause === 'SIGTERM' ? Date.now() - endingSince : 0 }
    if (cause !== undefined && (listening || cause !== 'SIGTERM')) journal.write({ kind: 'exit', ...entry, cause })
    else if (listening) journal.write({ kind: 'exit', ...entry, cause: 'none' })
    if (held) return
    await sleep(RESTART_MS)
    if (!held) start()
  }
  const end = async (signal: 'SIGKILL' | 'SIGTERM', hold: boolean) => {
    held = hold
    const ending = life
    if (ending === undefined) return
    if (ending.cause !== 'SIGTERM') ending.endingSince = Date.now()
    ending.cause = signal
    const ended = once(ending.child, 'exit')
    ending.child.kill(signal)
    await ended
  }
  const tell = (message: HarnessMessage) => void life?.child.send(message, () => {})
  start()
  return {
    name,
    service,
    url,
    get kills() {
      return kills
    },
    async kill9({ hold = false } = {}) {
      kills += 1
      await end('SIGKILL', hold)
    },
    terminate: ({ hold = false } = {}) => end('SIGTERM', hold),
    start,
    pause: () => void life?.child.kill('SIGSTOP'),
    resume: () => void life?.child.kill('SIGCONT'),
    shiftClock: shiftMs => tell({ kind: 'clock', shiftMs }),
    async crashAt(point, nth = 1) {
      const armed = life
      if (armed === undefined) throw new Error(`${name} does not run`)
      const crashed = once(armed.child, 'exit').then(() => {})
      crashed.then(
        () => {
          kills += 1
        },
        () => {}
      )
      armed.cause = 'crash-point'
      const heard = hears(armed.child, 'armed')
      tell({ kind: 'crash', at: point, nth })
      await heard
      return { crashed }
    },
    async inspect() {
      if (life === undefined) return undefined
      const heard = hears(life.child, 'inspection').catch(() => undefined)
      tell({ kind: 'inspect' })
      const message = await Promise.race([heard, sleep(INSPECT_MS, undefined, { ref: false })])
      return message?.kind === 'inspection' ? message.text : undefined
    },
    unfitness: () => unfitness(url, options.env.RECONCILIATION_TOKEN)
  }
}

function spawnService({ service, port, env, journal, name }: ProcessOptions, log: number): Life {
  const script = fileURLToPath(new URL(`services/${service}.ts`, import.meta.url))
  const child = spawn(process.execPath, ['--disable-warning=TimeoutNegativeWarning', '--import', preload, script], {
    env: {
      NODE_COMPILE_CACHE: compiledPath,
      ...process.env,
      NODE_OPTIONS: '',
      HOST: '127.0.0.1',
      PORT: String(port),
      ...env
    },
    stdio: ['ignore', log, log, 'ipc']
  })
  const life: Life = { child, listening: false, cause: undefined, endingSince: 0 }
  child.on('message', (message: ServiceMessage) => {
    if (message.kind === 'listening') life.listening = true
    if (message.kind === 'uncaught' && life.listening)
      journal.write({ kind: 'uncaught', target: name, text: message.text })
  })
  child.on('error', () => {})
  return life
}

function hears(child: ChildProcess, kind: ServiceMessage['kind']): Promise<ServiceMessage> {
  return new Promise((resolve, reject) => {
    child.on('message', (message: ServiceMessage) => message.kind === kind && resolve(message))
    child.once('exit', () => reject(new Error('the process ended before it answered')))
  })
}

async function unfitness(url: string, token: string | undefined): Promise<string | undefined> {
  try {
    const headers = { authorization: `Bearer ${token}` }
    const response = await fetch(`${url}/health/messaging`, { headers, signal: AbortSignal.timeout(3000) })
    return response.ok ? undefined : ((await response.json()) as { reasons: string[] }).reasons.join('; ')
  } catch (error) {
    return (error as Error).message
  }
}
