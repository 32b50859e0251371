import { subscribe } from 'node:diagnostics_channel'
import type { FastifyInstance, RouteOptions } from 'fastify'
import { RouteUnserved } from './errors.ts'

/** Route options that do something only where their plugin stands before the route, and which plugin that is. */
const PLUGINS = { transaction: '@steadfast/outbox', idempotencyKey: '@steadfast/idempotency-key' } as const

/** A route option of one of these plugins. */
export type ServedOption = keyof typeof PLUGINS

// Of the process, not of this copy of the package: each copy looks at all routes.
const kServed = Symbol.for('steadfast.servedOptions')
const kWatched = Symbol('steadfast.watchedRoutes')

interface Marked {
  [kServed]?: ServedOption[]
}

/** Says that a plugin has seen an option of a route and serves it. For its onRoute hook. */
export function markServed(route: RouteOptions, option: ServedOption): void {
  const config: Marked = route.config ?? {}
  route.config = { ...config, [kServed]: [...(config[kServed] ?? []), option] } as NonNullable<typeof route.config>
}

/**
 * Looks, from now on, at the routes of a server, and at those of its children. One that asks for an option which no
 * plugin serves stops the start: without it the route would work as if nobody had asked.
 */
export function watchRoutes(fastify: FastifyInstance & { [kWatched]?: true }): void {
  if (fastify[kWatched]) return
  Object.defineProperty(fastify, kWatched, { value: true })
  const asked: { route: RouteOptions; name: string }[] = []
  fastify.addHook('onRoute', route => {
    asked.push({ route, name: `${String(route.method)} ${route.url}` })
  })
  fastify.addHook('onReady', async () => {
    const routes = asked.splice(0)
    for (const option of Object.keys(PLUGINS) as ServedOption[]) {
      const unserved = routes.filter(({ route }) => asksFor(route, option) && !isServed(route, option))
      if (unserved.length === 0) continue
      throw new RouteUnserved(unserved.map(({ name }) => name).join(', '), option, PLUGINS[option])
    }
  })
}

const asksFor = (route: RouteOptions, option: ServedOption): boolean => {
  const value = (route as Partial<Record<ServedOption, unknown>>)[option]
  return value !== undefined && value !== false
}

const isServed = ({ config }: RouteOptions, option: ServedOption): boolean =>
  (config as Marked | undefined)?.[kServed]?.includes(option) ?? false

// From the first moment of each server, so that a route which comes before the plugin is seen, or the lack of it.
subscribe('fastify.initialization', message => watchRoutes((message as { fastify: FastifyInstance }).fastify))
