import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process that is started again whenever it ends. */
export interface Service {
  readonly url: string
  /** SIGKILL; resolves when it has ended. */
  kill9(): Promise<void>
  /** SIGTERM, and no restart. */
  stop(): Promise<void>
}

const RESTART_MS = 250
const lifeline = new URL('lifeline.ts', import.meta.url).href

export function runService(options: {
  script: string
  port: number
  logFile: string
  env: Record<string, string>
}): Service {
  const log = openSync(options.logFile, 'a')
  let child: ChildProcess | undefined
  let isOver = false
  const start = () => {
    const { script, port, env } = options
    const args = ['--disable-warning=ExperimentalWarning', '--import', lifeline, script]
    const started = spawn(process.execPath, args, {
      env: { ...process.env, NODE_OPTIONS: '', PORT: String(port), ...env },
      stdio: ['ignore', log, log, 'ipc']
    })
    child = started
    started.on('error', () => {})
    started.once('exit', async () => {
      child = undefined
      await sleep(RESTART_MS)
      if (!isOver && child === undefined) start()
    })
  }
  const end = async (signal: NodeJS.Signals) => {
    const ending = child
    if (ending === undefined) return
    const ended = once(ending, 'exit')
    ending.kill(signal)
    await ended
  }
  start()
  return {
    url: `http://127.0.0.1:${options.port}`,
    kill9: () => end('SIGKILL'),
    async stop() {
      isOver = true
      await end('SIGTERM')
    }
  }
}
