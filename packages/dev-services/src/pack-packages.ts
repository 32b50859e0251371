import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './repository.ts'
import { runTool } from './run-tool.ts'

interface Manifest {
  name: string
  private?: boolean
  packageManager?: string
}

const manifestOf = (dir: string) => JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as Manifest

/** The packages that are published. `isEmpty`: without a source yet. */
export function publicPackages(): { name: string; dir: string; isEmpty: boolean }[] {
  const packages = join(root, 'packages')
  return readdirSync(packages)
    .map(folder => join(packages, folder))
    .filter(dir => existsSync(join(dir, 'package.json')))
    .map(dir => ({ dir, manifest: manifestOf(dir) }))
    .filter(({ manifest }) => manifest.private !== true)
    .map(({ dir, manifest }) => ({ name: manifest.name, dir, isEmpty: !existsSync(join(dir, 'src', 'index.ts')) }))
}

/** Builds a package and packs it as it would be published, into a new folder. */
export async function packPackage(
  dir: string,
  destination: string
): Promise<{ tarball: string } | { tarball?: undefined; problem: string }> {
  const built = await runTool(['tsc', '-b', dir])
  if (built.exitCode !== 0) return { problem: built.output }
  mkdirSync(destination)
  const pnpm = manifestOf(root).packageManager ?? 'pnpm'
  const packed = await runTool(['npx', '--yes', pnpm, 'pack', '--pack-destination', destination], { cwd: dir })
  const file = readdirSync(destination)[0]
  return packed.exitCode !== 0 || file === undefined ? { problem: packed.output } : { tarball: join(destination, file) }
}

/**
 * Makes a folder in which all published packages, and others of the registry, are installed as whoever uses them would.
 *
 * @throws Error when one cannot be built, packed or installed
 */
export async function installPacked(dir: string, others: readonly string[]): Promise<void> {
  const tarballs: string[] = []
  mkdirSync(join(dir, 'tarballs'))
  for (const [index, { name, dir: source, isEmpty }] of publicPackages().entries()) {
    if (isEmpty) continue
    const packed = await packPackage(source, join(dir, 'tarballs', String(index)))
    if (packed.tarball === undefined) throw new Error(`${name} cannot be packed:\n${packed.problem}`)
    tarballs.push(packed.tarball)
  }
  const npm = ['npm', 'install', '--no-audit', '--no-fund', '--loglevel', 'error', ...tarballs, ...others]
  const installed = await runTool(npm, { cwd: dir })
  if (installed.exitCode !== 0) throw new Error(`the packages cannot be installed:\n${installed.output}`)
}
