import { spawn } from 'node:child_process'
import { root, toolPath } from './repository.ts'

export interface ToolResult {
  exitCode: number
  output: string
}

/** Runs a tool with the pinned Node.js and collects what it prints; `print` shows it as it comes. */
export function runTool(command: readonly string[], options: { cwd?: string; print?: boolean } = {}) {
  const { cwd = root, print = false } = options
  return new Promise<ToolResult>((resolve, reject) => {
    // A test's own process is preloaded with hooks, which it hands to every process that it starts: no tool wants them.
    const child = spawn('env', ['-u', 'NODE_OPTIONS', ...command], {
      cwd,
      env: { ...process.env, PATH: toolPath },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    let output = ''
    const take = (text: string) => {
      output += text
      if (print) process.stdout.write(text)
    }
    child.stdout.setEncoding('utf8').on('data', take)
    child.stderr.setEncoding('utf8').on('data', take)
    child.once('error', reject)
    child.once('close', code => resolve({ exitCode: code ?? 1, output }))
  })
}
