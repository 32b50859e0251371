#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { DEFAULT_SCHEMA } from './db.ts'
import { doctor } from './schema/doctor.ts'
import { findRisks } from './schema/find-risks.ts'
import { LATEST_VERSION, migrate, printMigrations, requireSchema, schemaVersion } from './schema/migrate.ts'
import { PLUGINS, type Plugin, printGrants } from './schema/rights.ts'

const USAGE = `steadfast <command> [--url URL] [--schema NAME]

  migrate   brings the tables to this version
  print     writes the SQL of the migrations to standard output; --from N leaves out those up to N
  status    says which migration the schema is at
  doctor    compares the tables as they are with what they should be, and looks for what is in the way or a risk
  grants    writes the SQL that gives a role the rights it needs: --role NAME, for --plugins or all

  --url     the database; default: the environment variable DATABASE_URL
  --schema  where the tables are; default: ${DEFAULT_SCHEMA}
  --plugins for doctor and grants: some of ${PLUGINS.join(',')}

Exit codes: 0 as it should be; 1 it is not (doctor, status); 2 wrong use, or the command failed.`

class Misuse extends Error {}

const OPTIONS = {
  url: { type: 'string' },
  schema: { type: 'string' },
  from: { type: 'string' },
  role: { type: 'string' },
  plugins: { type: 'string' },
  help: { type: 'boolean', short: 'h' }
} as const

function readArguments() {
  try {
    return parseArgs({ options: OPTIONS, allowPositionals: true })
  } catch (error) {
    throw new Misuse((error as Error).message)
  }
}

async function openPool(url: string | undefined) {
  if (url === undefined || url === '') throw new Misuse('which database? give --url or set DATABASE_URL')
  const { default: pg } = await import('pg').catch(() => {
    throw new Misuse('the package "pg" is needed: install it beside @steadfast/store')
  })
  // One more for an index that is built outside of the migration's transaction.
  return new pg.Pool({ connectionString: url, max: 2, connectionTimeoutMillis: 10_000 })
}

type Pool = Awaited<ReturnType<typeof openPool>>

type Command = (pool: Pool, schema: string, plugins: readonly Plugin[]) => Promise<{ ok: boolean; lines: string[] }>

const COMMANDS: Record<string, Command> = {
  async migrate(pool, schema) {
    const applied = await migrate(pool, { schema })
    const done = applied.length === 0 ? 'nothing to do' : `applied ${applied.join(', ')}`
    return { ok: true, lines: [`schema "${schema}" is at migration ${await schemaVersion(pool, schema)}: ${done}`] }
  },
  async status(pool, schema) {
    const version = await schemaVersion(pool, schema)
    const is = `schema "${schema}" is at migration ${version}`
    if (version <= LATEST_VERSION)
      return { ok: version === LATEST_VERSION, lines: [`${is}; this version needs ${LATEST_VERSION}`] }
    const runs = await requireSchema(pool, schema).then(
      () => true,
      () => false
    )
    return {
      ok: runs,
      lines: [`${is}; this version knows ${LATEST_VERSION} and ${runs ? 'runs' : 'cannot run'} on it`]
    }
  },
  async doctor(pool, schema, plugins) {
    const differences = await doctor(pool, { schema, plugins })
    const ok = differences.length === 0
    const risks = ok ? await findRisks(pool, { schema }) : []
    const lines = ok ? [`schema "${schema}" is as it should be`] : differences
    return { ok, lines: [...lines, ...risks.map(risk => `warning: ${risk}`)] }
  }
}

async function run(): Promise<number> {
  const { values, positionals } = readArguments()
  if (values.help) {
    console.log(USAGE)
    return 0
  }
  const [name, ...more] = positionals
  if (name === undefined || more.length > 0) throw new Misuse('one command, please')
  const schema = values.schema ?? DEFAULT_SCHEMA
  if (name === 'print') {
    const from = Number(values.from ?? 0)
    if (!Number.isInteger(from) || from < 0) throw new Misuse('--from must be the number of a migration')
    process.stdout.write(printMigrations({ schema, from }))
    return 0
  }
  const plugins = values.plugins?.split(',') ?? PLUGINS
  const known = plugins.filter((plugin): plugin is Plugin => PLUGINS.includes(plugin as Plugin))
  if (known.length < plugins.length) throw new Misuse(`--plugins must be some of ${PLUGINS.join(',')}`)
  if (name === 'grants') {
    if (values.role === undefined) throw new Misuse('to whom? give --role')
    process.stdout.write(printGrants({ role: values.role, schema, plugins: known }))
    return 0
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) throw new Misuse(`no such command: ${name}`)
  if (values.from !== undefined) throw new Misuse('--from is for print')
  const pool = await openPool(values.url ?? process.env.DATABASE_URL)
  try {
    const { ok, lines } = await command(pool, schema, known)
    console.log(lines.join('\n'))
    return ok ? 0 : 1
  } finally {
    await pool.end()
  }
}

try {
  process.exitCode = await run()
} catch (error) {
  const { message, code, errors } = error as Error & { code?: string; errors?: Error[] }
  const text = message === '' ? (errors?.[0]?.message ?? code ?? 'failed') : message
  console.error(error instanceof Misuse ? `steadfast: ${text}\n\n${USAGE}` : `steadfast: ${text}`)
  process.exitCode = 2
}
