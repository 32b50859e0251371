import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Edit } from './mutant.ts'

/** The root of the repository. */
export const root: string = join(import.meta.dirname, '..', '..', '..', '..')

/** A copy of the tree, where defects may be made. */
export interface TreeCopy {
  readonly dir: string
  /** Makes edits; the returned function takes them back. */
  apply(edits: readonly Edit[]): () => void
  remove(): void
}

/** An edit whose text is not there exactly once: the product has changed, and the mutant no longer says what it says. */
export class StaleMutant extends Error {
  override name = 'StaleMutant'
}

const LEFT_OUT = new Set(['node_modules', '.git', '.tap', 'dist', '.cache', 'coverage'])

/**
 * Copies the tree without what is built or installed. The packages' own `node_modules` are links, and are copied as
 * such: those to other packages lead to the copy, those to the store of pnpm through one link in the copy's root.
 */
export function copyTree(): TreeCopy {
  const dir = mkdtempSync(join(tmpdir(), 'steadfast-mutant-'))
  for (const name of readdirSync(root)) {
    if (!LEFT_OUT.has(name))
      cpSync(join(root, name), join(dir, name), { recursive: true, verbatimSymlinks: true, filter: isWanted })
  }
  symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'))
  return {
    dir,
    apply: edits => applyEdits(dir, edits),
    remove: () => rmSync(dir, { recursive: true, force: true })
  }
}

// `node_modules` of a package hold links only, and small launchers in `.bin`.
const isWanted = (source: string): boolean => basename(source) === 'node_modules' || !LEFT_OUT.has(basename(source))

/** @throws StaleMutant, with nothing changed */
export function applyEdits(dir: string, edits: readonly Edit[]): () => void {
  const before = new Map<string, string>()
  const after = new Map<string, string>()
  for (const { file, find, replace } of edits) {
    const path = join(dir, file)
    const text = after.get(path) ?? read(path, file)
    if (!before.has(path)) before.set(path, text)
    const times = text.split(find).length - 1
    if (times !== 1) throw new StaleMutant(`${file}: found ${times} times instead of once: ${find}`)
    after.set(
      path,
      text.replace(find, () => replace)
    )
  }
  for (const [path, text] of after) writeFileSync(path, text)
  return () => {
    for (const [path, text] of before) writeFileSync(path, text)
  }
}

function read(path: string, file: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    throw new StaleMutant(`${file} is not there`)
  }
}
