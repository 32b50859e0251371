// Preloaded into a relay's process: ends it, as a crash would, once the broker has acknowledged a batch.
import { subscribe } from 'node:diagnostics_channel'

subscribe('steadfast:relay:batch-sent', () => process.kill(process.pid, 'SIGKILL'))
