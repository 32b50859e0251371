import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export interface ServiceOptions {
  name: string
  /** The module to run. */
  script: string
  env: Record<string, string>
  /** Where its output goes. */
  logFile: string
  port: number
  /** More arguments for node, e.g. `--import` of what a test preloads. */
  nodeArguments?: readonly string[]
}

/** A service in a process of its own, started again whenever it ends by itself. */
export interface Service {
  readonly name: string
  readonly url: string
  readonly pid: number | undefined
  readonly logFile: string
  /** How often `kill9()` was called. */
  readonly kills: number
  /** SIGKILL; resolves when the process has ended. It is started again, unless `hold`: then by `start()`. */
  kill9(options?: { hold?: boolean }): Promise<void>
  start(): void
  /** Whether it says that it can work. */
  isReady(): Promise<boolean>
  /** SIGTERM and no restart; resolves with the exit code, null when a signal ended it. */
  stop(): Promise<number | null>
}

const RESTART_MS = 250
const lifeline = new URL('lifeline.ts', import.meta.url).href

/** Starts a service and keeps it running. It never outlives this process: see `lifeline.ts`. */
export function superviseService(options: ServiceOptions): Service {
  const { name, script, env, logFile, port, nodeArguments = [] } = options
  const url = `http://127.0.0.1:${port}`
  const log = openSync(logFile, 'a')
  let child: ChildProcess | undefined
  let held = false
  let kills = 0

  const start = () => {
    held = false
    const args = ['--disable-warning=TimeoutNegativeWarning', '--import', lifeline, ...nodeArguments, script]
    const process_ = spawn(process.execPath, args, {
      env: { ...process.env, HOST: '127.0.0.1', PORT: String(port), ...env },
      stdio: ['ignore', log, log, 'ipc']
    })
    child = process_
    process_.once('exit', async () => {
      if (child === process_) child = undefined
      if (held) return
      await sleep(RESTART_MS)
      if (!held && child === undefined) start()
    })
  }
  const end = async (signal: NodeJS.Signals) => {
    const ending = child
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return null
    const exited = once(ending, 'exit')
    ending.kill(signal)
    return (await exited)[0] as number | null
  }
  start()
  return {
    name,
    url,
    logFile,
    get pid() {
      return child?.pid
    },
    get kills() {
      return kills
    },
    async kill9({ hold = false } = {}) {
      held = hold
      kills += 1
      await end('SIGKILL')
    },
    start,
    async isReady() {
      try {
        return (await fetch(`${url}/health/messaging`, { signal: AbortSignal.timeout(2000) })).ok
      } catch {
        return false
      }
    },
    stop() {
      held = true
      return end('SIGTERM')
    }
  }
}
