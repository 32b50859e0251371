import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packPackage, publicPackages } from './pack-packages.ts'
import { runTool } from './run-tool.ts'

export interface PackingResult {
  ok: number
  failed: number
  /** Public packages without a source yet. */
  empty: number
}

/** What is wrong with the package as it would be published; empty when nothing is. */
async function findProblems(dir: string, destination: string): Promise<string> {
  const packed = await packPackage(dir, destination)
  if (packed.tarball === undefined) return packed.problem
  const { tarball } = packed
  const checks = await Promise.all([
    runTool(['publint', 'run', tarball, '--strict']),
    runTool(['attw', tarball, '--profile', 'esm-only', '--no-color', '--no-emoji'])
  ])
  return checks
    .filter(check => check.exitCode !== 0)
    .map(check => check.output)
    .join('\n')
}

/** Builds and packs every public package, and looks at each tarball with publint and attw. Prints a line for each. */
export async function checkPacking(): Promise<PackingResult> {
  const result = { ok: 0, failed: 0, empty: 0 }
  const temporary = mkdtempSync(join(tmpdir(), 'steadfast-pack-'))
  try {
    for (const [index, { name, dir, isEmpty }] of publicPackages().entries()) {
      const problems = isEmpty ? '' : await findProblems(dir, join(temporary, String(index)))
      const verdict = isEmpty ? 'empty' : problems === '' ? 'ok' : 'failed'
      result[verdict] += 1
      console.log(`# pack ${name}: ${isEmpty ? 'skipped, src/index.ts does not exist' : verdict}`)
      if (problems !== '') console.log(problems)
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
  console.log(`# ${result.ok} packages pack cleanly, ${result.failed} do not, ${result.empty} are empty`)
  return result
}
