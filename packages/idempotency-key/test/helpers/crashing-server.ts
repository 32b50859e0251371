// Dies right after COMMIT, before the answer.
import { subscribe } from 'node:diagnostics_channel'
import { startApp } from './build-app.ts'

const app = await startApp({ url: process.env.DATABASE ?? '' })
subscribe('steadfast:outbox:after-commit', () => process.kill(process.pid, 'SIGKILL'))
process.send?.(await app.listen({ port: 0, host: '127.0.0.1' }))
