import { launchPostgres } from './launch-postgres.ts'

export interface TestServers {
  env: NodeJS.ProcessEnv
  stop(): Promise<void>
}

/** Starts the servers that tests need, and gives the environment that leads tests to them. */
export async function startTestServers(): Promise<TestServers> {
  const postgres = process.env.TEST_PG_URL === undefined ? await launchPostgres() : undefined
  const env = { ...process.env, TEST_PG_URL: process.env.TEST_PG_URL ?? postgres?.url }
  return {
    env,
    async stop() {
      await postgres?.stop()
    }
  }
}
