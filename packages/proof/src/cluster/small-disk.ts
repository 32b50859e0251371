import { mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startLifeline, until } from '@steadfast/dev-services'

/** A file system of its own, small enough to be filled. */
export interface SmallDisk {
  dir: string
  /** Takes all the room that is left. */
  fill(): Promise<void>
  /** Gives it back. */
  free(): Promise<void>
  stop(): Promise<void>
}

/** Memory that stays free for others while the disk is full, in MiB. */
const LEFT_MIB = 3072
const CHUNK = Buffer.alloc(2 ** 24)

// Mounted for as long as this process lives: the shell unmounts at its signal, which comes even after a SIGKILL here.
const HOLD = `mount -t tmpfs -o "size=$2m,mode=0755" none "$1" || exit 1
trap 'kill $s; umount -l "$1"; rmdir "$1"; exit 0' TERM
sleep infinity & s=$!
wait`

/** Undefined where this process may not mount, or the machine has too little memory. */
export async function makeSmallDisk(sizeMiB: number, log: (line: string) => void): Promise<SmallDisk | undefined> {
  const neededMiB = sizeMiB + LEFT_MIB
  if (process.getuid?.() !== 0 || process.availableMemory() < neededMiB * 2 ** 20) {
    log(`disk full is left out: it takes root, and ${neededMiB} MiB of free memory`)
    return undefined
  }
  const dir = mkdtempSync(join(tmpdir(), 'steadfast-disk-'))
  const before = statfsSync(dir).blocks
  const lifeline = await startLifeline({
    command: ['/bin/sh', '-c', HOLD, 'hold', dir, String(sizeMiB)],
    logFile: '/dev/null',
    endSignal: 'TERM'
  })
  await until(() => lifeline.status !== undefined || statfsSync(dir).blocks !== before, { what: 'a small disk' })
  if (lifeline.status !== undefined) {
    log('disk full is left out: mounting is not permitted')
    rmSync(dir, { recursive: true, force: true })
    return undefined
  }
  const filler = join(dir, 'filler')
  return {
    dir,
    async fill() {
      const file = await open(filler, 'a')
      try {
        for (;;) await file.write(CHUNK)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      } finally {
        await file.close()
      }
    },
    free: () => rm(filler, { force: true }),
    async stop() {
      lifeline.signal('SIGTERM')
      await lifeline.ended()
      await lifeline.release()
    }
  }
}
