import { type TestDatabase, testDatabase } from '@steadfast/dev-services'
import { readEnvironment } from '@steadfast-examples/service'
import Fastify, { type FastifyInstance } from 'fastify'
import deploy from '../app.ts'
import { DeployEnvironment } from '../environment.ts'
import { removeDatabase } from '../provision/remove-database.ts'
import { connectTarget } from '../provision/target.ts'

export interface Tap {
  teardown(handler: () => unknown): void
}

const PROVISION_SECRET = 'a secret of the tests'
const PROVISION_PREFIX = `t${process.pid}_`

/** A database for deploy; what was provisioned from it is removed at the end. */
export async function deployDatabase(t: Tap): Promise<TestDatabase> {
  const database = await testDatabase(t)
  const target = connectTarget({ url: database.url, secret: PROVISION_SECRET, prefix: PROVISION_PREFIX })
  t.teardown(async () => {
    const { rows } = await database.pool.query(`select id from deployment where product = 'postgres'`)
    for (const { id } of rows) await removeDatabase(target, id)
    await target.close()
  })
  return database
}

/** deploy, ready, in this process. */
export async function build(
  t: Tap,
  database: TestDatabase,
  env: Record<string, string> = {}
): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(
    deploy,
    readEnvironment(DeployEnvironment, {
      DATABASE_URL: database.url,
      TARGET_DATABASE_URL: database.url,
      PROVISION_SECRET,
      PROVISION_PREFIX,
      WORKER_POLL_INTERVAL_MS: '20',
      ...env
    })
  )
  await app.ready()
  return app
}
