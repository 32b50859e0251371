#!/usr/bin/env node
import { launchPostgres } from '@steadfast/dev-services'
import { type Command, Misuse, readCommand, USAGE } from './read-command.ts'
import { commitOfTree, runParts, type Summary } from './run-parts.ts'

const log = (line: string): void => console.error(line)

/** Runs on a PostgreSQL of its own, or on the one that TEST_PG_URL names. */
async function withPostgres<T>(use: (url: string) => Promise<T>): Promise<T> {
  const given = process.env.TEST_PG_URL
  if (given !== undefined) return await use(given)
  const server = await launchPostgres()
  try {
    return await use(server.url)
  } finally {
    await server.stop()
  }
}

const inWords = (figures: Summary) =>
  Object.entries(figures)
    .map(([name, n]) => `${name} ${n}`)
    .join(', ')

async function run({ parts, seed, profile, resume, keep, json, mutant }: Command): Promise<number> {
  const commit = keep ? commitOfTree() : undefined
  const { violations, figures } = await withPostgres(postgresUrl =>
    runParts(parts, { seed, profile, postgresUrl, log }, { resume, commit })
  )
  for (const violation of violations) console.log(`${violation}\n`)
  const escaped = figures.mutants - figures.mutantsCaught
  if (mutant && escaped === 0) console.log(`mutant ${mutant.name} breaks invariant ${mutant.invariant.join(': ')}`)
  console.log(json ? JSON.stringify(figures) : inWords(figures))
  if (mutant) return escaped === 0 ? 1 : 3
  return violations.length === 0 && escaped === 0 ? 0 : 1
}

try {
  const command = readCommand(process.argv.slice(2))
  if (command === undefined) console.log(USAGE)
  else process.exitCode = await run(command)
} catch (error) {
  if (!(error instanceof Misuse)) throw error
  console.error(`${error.message}\n\n${USAGE}`)
  process.exitCode = 2
}
