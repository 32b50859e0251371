// Preloaded into what judges a mutant: it ends with its parent, however that ended, and takes its children with it.
process.stdin.on('end', () => process.kill(-process.pid, 'SIGKILL')).resume()
;(process.stdin as unknown as { unref(): void }).unref()
