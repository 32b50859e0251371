import { checkIdentifier, DEFAULT_SCHEMA, type Queryable } from '../db.ts'
import { RightsMissing } from '../errors.ts'
import { EXPECTED_SHAPE } from './expected-shape.ts'
import { findObstacles } from './find-obstacles.ts'
import { LATEST_VERSION, schemaVersion } from './migrate.ts'
import { readShape, type SchemaShape, type TableShape } from './read-shape.ts'
import { PLUGINS, type Plugin } from './rights.ts'

/**
 * Compares the tables as they are with what the migrations make of them: columns, types, nullability, defaults,
 * identities, indexes, constraints, storage parameters. Then looks for what keeps `plugins` (default: all) from working
 * by this role: see `requireSchema`. Reads the whole table of events for its highest number; changes nothing.
 *
 * @returns the differences and obstacles in words; an empty list when all is well
 * @throws SF_STORE_IDENTIFIER_INVALID
 */
export async function doctor(
  handle: Queryable,
  { schema = DEFAULT_SCHEMA, plugins = PLUGINS }: { schema?: string; plugins?: readonly Plugin[] } = {}
): Promise<string[]> {
  checkIdentifier('schema', schema)
  const found = await findObstacles(handle, schema, plugins, { thorough: true })
  const obstacles = found.map(({ message }) => message)
  // Then the version cannot be read either.
  if (found.some(error => error instanceof RightsMissing)) return obstacles
  const version = await schemaVersion(handle, schema)
  if (version === 0) return [`schema "${schema}" has no tables of Steadfast: run \`steadfast migrate\``]
  if (version > LATEST_VERSION)
    return [
      `schema "${schema}" is at migration ${version}, newer than the ${LATEST_VERSION} this package knows: ask the newer one`
    ]
  if (version < LATEST_VERSION)
    return [`schema "${schema}" is at migration ${version}, not ${LATEST_VERSION}: run \`steadfast migrate\``]
  return [...compareShapes(await readShape(handle, schema)), ...obstacles]
}

function compareShapes(found: SchemaShape): string[] {
  const differences: string[] = []
  for (const [name, expected] of Object.entries(EXPECTED_SHAPE)) {
    const table = found[name]
    if (table === undefined) differences.push(`table ${name} is missing`)
    else differences.push(...compareTables(name, table, expected))
  }
  // Other tables in the schema are their owner's business.
  return differences
}

const PARTS = { columns: 'column', indexes: 'index', constraints: 'constraint', storage: 'storage parameter' } as const

function compareTables(table: string, found: TableShape, expected: TableShape): string[] {
  const differences: string[] = []
  if (found.persistence !== expected.persistence)
    differences.push(`table ${table} is ${found.persistence}, expected ${expected.persistence}`)
  for (const [part, word] of Object.entries(PARTS) as [keyof typeof PARTS, string][]) {
    for (const name of new Set([...Object.keys(expected[part]), ...Object.keys(found[part])])) {
      const is = found[part][name]
      const should = expected[part][name]
      if (is === should) continue
      const what = `${word} ${name} of table ${table}`
      if (is === undefined) differences.push(`${what} is missing, expected: ${should}`)
      else if (should === undefined) differences.push(`${what} is not expected: ${is}`)
      else differences.push(`${what} is: ${is}, expected: ${should}`)
    }
  }
  return differences
}
