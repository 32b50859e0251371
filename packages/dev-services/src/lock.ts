import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

function take(address: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    server.listen(address, () => resolve(server))
  })
}

/**
 * Runs `work` while no other process of this machine runs work of that name. The lock is an abstract socket, which
 * the kernel lets go of with the process; only Linux has them, elsewhere the work is not locked.
 */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  if (process.platform !== 'linux') return work()
  const address = `\0steadfast-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`
  let lock = await take(address)
  while (lock === undefined) {
    await sleep(50)
    lock = await take(address)
  }
  try {
    return await work()
  } finally {
    lock.close()
  }
}
