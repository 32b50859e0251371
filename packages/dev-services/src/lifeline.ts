import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'

export interface LifelineOptions {
  /** Program and arguments. */
  command: readonly string[]
  /** File that takes the program's output. */
  logFile: string
  /** Directory that goes with the program; none when absent. */
  removeDir?: string | undefined
  /** Signal that ends the program when this process is gone. */
  endSignal: 'QUIT' | 'TERM' | 'KILL'
  /** User and group of the program; those of this process when absent. */
  ids?: { uid: number; gid: number } | undefined
  env?: NodeJS.ProcessEnv
}

export interface Lifeline {
  readonly pid: number
  /** The exit status, as soon as the program has ended. */
  readonly status: number | undefined
  /** Sends a signal, if the program still runs. */
  signal(name: NodeJS.Signals): void
  /** Resolves when the program has ended; until then it keeps this process alive. */
  ended(): Promise<number>
  /** Lets go of the program: it is ended if it runs, and its directory is removed unless `keep`. */
  release(options?: { keep?: boolean }): Promise<void>
}

// $1 log file, $2 directory to remove or '', $3 signal, then the command. Prints the pid, later 'exit STATUS'.
// End-of-file on stdin (our process ended, however it did) ends the program; a line there keeps the directory.
// CONT, because a stopped process takes no other signal than KILL. The prints stand in subshells, as SIGPIPE from a
// dead parent would end this shell before its clean-up. The watcher is gone before 'exit' is printed, so that it
// cannot take the line that says to keep the directory.
const SCRIPT = `exec 3<&0; log=$1 rm=$2 sig=$3; shift 3
"$@" </dev/null >>"$log" 2>&1 3<&- & p=$!; (echo $p)
{ read _ <&3; kill -$sig $p; kill -CONT $p; } >/dev/null 2>&1 & w=$!
wait $p; s=$?; { kill $w; wait $w; } 2>/dev/null; (echo exit $s)
read _ <&3 || [ -z "$rm" ] || rm -rf "$rm"`

/**
 * Runs a program that never outlives this process, whatever ends it: a shell in its own session holds the other end
 * of a pipe. A program nobody ended does not keep this process alive.
 */
export function startLifeline(options: LifelineOptions): Promise<Lifeline> {
  const { command, logFile, removeDir = '', endSignal, ids, env = process.env } = options
  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'lifeline', logFile, removeDir, endSignal, ...command], {
    ...ids,
    env,
    cwd: '/',
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true
  })
  const handles = [shell, shell.stdin as Socket, shell.stdout as Socket]
  const gone = new Promise<void>(resolve => shell.once('exit', () => resolve()))
  let pid = 0
  let status: number | undefined
  shell.stdin.on('error', () => {})

  return new Promise((resolve, reject) => {
    shell.once('error', reject)
    let finish: (status: number) => void = () => {}
    const exited = new Promise<number>(done => {
      finish = done
    })
    const lifeline: Lifeline = {
      get pid() {
        return pid
      },
      get status() {
        return status
      },
      signal(name) {
        if (status === undefined) process.kill(pid, name)
      },
      async ended() {
        for (const handle of handles) handle.ref()
        const result = await exited
        for (const handle of handles) handle.unref()
        return result
      },
      async release({ keep = false } = {}) {
        for (const handle of handles) handle.ref()
        shell.stdin.end(keep ? 'keep\n' : undefined)
        await gone
      }
    }
    createInterface({ input: shell.stdout }).on('line', line => {
      if (line.startsWith('exit')) {
        status = Number(line.slice(5))
        finish(status)
      } else {
        pid = Number(line)
        for (const handle of handles) handle.unref()
        resolve(lifeline)
      }
    })
  })
}
