import fastifyPostgres from '@fastify/postgres'
import { until } from '@steadfast/dev-services'
import { defineEvent } from '@steadfast/events'
import outbox from '@steadfast/outbox'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import pg from 'pg'
import t from 'tap'
import { Type } from 'typebox'
import relay from '../src/index.ts'
import { database, recordingTransport } from './helper.ts'

const Told = defineEvent({ type: 'market.told', topic: 'told', data: Type.Object({}) })
const CHANNEL = 'steadfast_steadfast'
const WRITERS = 64

// A NOTIFY inside a transaction takes a lock at COMMIT that all of them queue for.
t.test('64 writers: none of their transactions notifies, and their commits are announced once', async t => {
  const { url, directUrl, pool, rows } = await database(t)
  const heard: (string | undefined)[] = []
  const listener = new pg.Client({ connectionString: directUrl })
  listener.on('error', () => {})
  listener.on('notification', ({ payload }) => heard.push(payload))
  await listener.connect()
  t.teardown(() => listener.end().catch(() => {}))
  await listener.query(`listen ${CHANNEL}`)

  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(fastifyPostgres, { connectionString: url })
  app.pg.pool.on('connect', client => client.on('error', () => {}))
  await app.register(fp(async f => void f.decorate('transport', recordingTransport().transport)))
  await app.register(outbox, { source: 'market', contracts: [Told] })
  // The relay hears of the commits when the test says so: at one moment.
  const commits: (() => void)[] = []
  await app.register(
    fp(async f => {
      const { onCommit } = f.outbox
      f.outbox.onCommit = told => onCommit(events => void commits.push(() => told(events)))
    })
  )
  await app.register(relay, {
    schedule: true,
    pollIntervalMs: 600_000,
    notify: { connectionString: directUrl }
  })
  await app.ready()
  const notify = (payload: string) => pool.query('select pg_notify($1, $2)', [CHANNEL, payload])

  await Promise.all(
    Array.from({ length: WRITERS }, () => app.outbox.transaction(async tx => void (await tx.sendEvent(Told, {}))))
  )
  t.equal(commits.length, WRITERS)
  await notify('all have committed')
  await until(() => heard.length > 0, { what: 'a notification' })
  t.same(heard, ['all have committed'], 'nothing was heard before')

  for (const tell of commits) tell()
  await until(() => heard.length > 1, { what: 'the announcement' })
  await until(async () => (await rows(`status = 'PUBLISHED'`)).length === WRITERS, { what: 'all to be sent' })
  await notify('all is sent')
  await until(() => heard.includes('all is sent'), { what: 'the end' })
  t.same(heard, ['all have committed', '', 'all is sent'])
})
