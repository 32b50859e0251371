import { execFile } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from './free-port.ts'
import { type Lifeline, startLifeline } from './lifeline.ts'
import { type Ids, type PostgresBinaries, postgresBinaries, unprivilegedIds } from './postgres-binaries.ts'

const run = promisify(execFile)

export interface PostgresOptions {
  /** Directory of the server, kept after `stop()`; default: a temporary one, removed with the server. */
  dir?: string
  /** Default: a free port. */
  port?: number
  /** Settings of postgresql.conf, over the defaults below. */
  settings?: Record<string, string>
}

export interface PostgresServer {
  /** Connection URL of the superuser, database `postgres`. */
  readonly url: string
  readonly port: number
  /** Directory of the server: `data/` and `postgres.log`. */
  readonly dir: string
  /** Process id of the postmaster. */
  readonly pid: number
  /** False once the server has ended, by itself or not, until the next `start()`. */
  readonly running: boolean
  /** Fast shutdown (SIGINT); a temporary directory is removed. */
  stop(): Promise<void>
  /** Immediate shutdown (SIGQUIT): as a crash, with recovery at the next `start()`. */
  stopImmediate(): Promise<void>
  /** Starts again with the same data and port. */
  start(): Promise<void>
}

const DEFAULT_SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '300',
  wal_level: 'logical',
  fsync: 'off'
}

interface Home {
  dir: string
  data: string
  log: string
  temporary: boolean
  ids: Ids | undefined
  binaries: PostgresBinaries
}

async function prepareHome(given: string | undefined): Promise<Home> {
  const ids = await unprivilegedIds()
  const dir = given ?? mkdtempSync(join(tmpdir(), 'steadfast-pg-'))
  mkdirSync(dir, { recursive: true })
  if (ids !== undefined) chownSync(dir, ids.uid, ids.gid)
  chmodSync(dir, 0o700)
  const data = join(dir, 'data')
  try {
    const binaries = await postgresBinaries(dir, ids)
    if (!existsSync(join(data, 'PG_VERSION'))) {
      const flags = ['--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync', '--no-instructions']
      await run(binaries.initdb, ['-D', data, '-U', 'postgres', ...flags], { ...ids, cwd: '/' })
    }
    return { dir, data, log: join(dir, 'postgres.log'), temporary: given === undefined, ids, binaries }
  } catch (error) {
    if (given === undefined) rmSync(dir, { recursive: true, force: true })
    throw error
  }
}

/** What pg_ctl looks at: line 1 of postmaster.pid is the pid, line 8 the state. */
function isReady(data: string, pid: number): boolean {
  try {
    const lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')
    return Number(lines[0]) === pid && lines[7]?.trim() === 'ready'
  } catch {
    return false
  }
}

async function startServer(home: Home, port: number, settings: Record<string, string>): Promise<Lifeline> {
  const flags = Object.entries({ ...DEFAULT_SETTINGS, ...settings }).flatMap(([key, value]) => [
    '-c',
    `${key}=${value}`
  ])
  const lifeline = await startLifeline({
    command: [home.binaries.postgres, '-D', home.data, '-p', String(port), ...flags],
    logFile: home.log,
    removeDir: home.temporary ? home.dir : undefined,
    endSignal: 'QUIT',
    ids: home.ids,
    env: { PATH: process.env.PATH, LC_ALL: 'C' }
  })
  while (!isReady(home.data, lifeline.pid)) {
    if (lifeline.status !== undefined) {
      const tail = readFileSync(home.log, 'utf8').slice(-2000)
      await lifeline.release({ keep: true })
      throw new Error(`PostgreSQL ended with status ${lifeline.status}:\n${tail}`)
    }
    await sleep(5)
  }
  return lifeline
}

async function startOnSomePort(home: Home, settings: Record<string, string>): Promise<[Lifeline, number]> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    try {
      return [await startServer(home, port, settings), port]
    } catch (error) {
      // another process may have taken the port between the look and the start
      if (attempt === 3 || !String(error).includes('Address already in use')) throw error
    }
  }
}

/**
 * Starts a real PostgreSQL and resolves when it accepts connections. It never outlives this process, even when that
 * is ended by SIGKILL. `fsync` is off unless `settings` says otherwise: a crash of the server loses nothing, a crash
 * of the machine may.
 */
export async function launchPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const { settings = {} } = options
  const home = await prepareHome(options.dir)
  let lifeline: Lifeline
  let port: number
  try {
    if (options.port === undefined) [lifeline, port] = await startOnSomePort(home, settings)
    else [lifeline, port] = [await startServer(home, options.port, settings), options.port]
  } catch (error) {
    if (home.temporary) rmSync(home.dir, { recursive: true, force: true })
    throw error
  }
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port,
    dir: home.dir,
    get pid() {
      return lifeline.pid
    },
    get running() {
      return lifeline.status === undefined
    },
    async stop() {
      lifeline.signal('SIGINT')
      await lifeline.ended()
      await lifeline.release({ keep: !home.temporary })
    },
    async stopImmediate() {
      lifeline.signal('SIGQUIT')
      await lifeline.ended()
    },
    async start() {
      if (lifeline.status === undefined) throw new Error('PostgreSQL runs already')
      await lifeline.release({ keep: true })
      lifeline = await startServer(home, port, settings)
    }
  }
}
