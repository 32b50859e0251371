import { request as httpRequest } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import t from 'tap'
import { buildApp, listen, placeOrder } from './helpers/build-app.ts'

type Fault = (request: FastifyRequest, reply: FastifyReply) => unknown

/** What goes wrong in a request that has already placed its order, and the status it must be answered with. */
const faults: Record<string, { status: number; fault: Fault }> = {
  throws: {
    status: 500,
    fault: () => {
      throw new Error('no')
    }
  },
  'error-handler': {
    status: 422,
    fault: () => {
      throw Object.assign(new Error('no'), { handled: true })
    }
  },
  conflict: { status: 409, fault: (_, reply) => void reply.code(409) },
  deferred: { status: 500, fault: request => request.tx.query('insert into slot values (1)') },
  serialization: { status: 503, fault: request => request.tx.query('insert into unlucky values (1)') },
  swallowed: { status: 500, fault: request => request.tx.query('select 1/0').catch(() => {}) },
  killed: { status: 503, fault: request => request.tx.query('select pg_terminate_backend(pg_backend_pid())') },
  hook: { status: 500, fault: (_, reply) => void reply.header('x-fail', '1') },
  hijack: {
    status: 0,
    fault: (_, reply) => {
      reply.hijack()
      reply.raw.writeHead(500).end()
    }
  },
  gone: {
    status: 0,
    fault: (_, reply) =>
      new Promise(resolve => {
        reply.raw.once('close', resolve)
        reply.raw.destroy()
      })
  },
  late: { status: 200, fault: request => setImmediate(later, request) },
  savepoint: {
    status: 200,
    fault: async (request, reply) => {
      await request.tx.query('savepoint s')
      await placeOrder(request, reply, `gone-${(request.params as { id: string }).id}`)
      await request.tx.query('rollback to s')
    }
  }
}

const later = (request: FastifyRequest) => {
  setTimeout(() => request.tx.query("insert into orders values ('late')"), 20)
}

function routes(app: FastifyInstance): void {
  app.setErrorHandler((error: Error & { handled?: boolean; statusCode?: number }, _, reply) =>
    reply.code(error.handled ? 422 : (error.statusCode ?? 500)).send({ message: error.message })
  )
  const onSend = async (_: FastifyRequest, reply: FastifyReply) => {
    if (reply.getHeader('x-fail') === undefined) return
    reply.removeHeader('x-fail')
    throw new Error('hook')
  }
  app.post<{ Params: { fault: string; id: string } }>(
    '/:fault/:id',
    { transaction: true, onSend },
    async (request, reply) => {
      await placeOrder(request, reply, request.params.id)
      await faults[request.params.fault]?.fault(request, reply)
      return request.params.id
    }
  )
}

function post(url: string): Promise<number> {
  return new Promise(resolve => {
    const request = httpRequest(url, { method: 'POST' }, response => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0))
    })
    request.once('error', () => resolve(0))
    request.end()
  })
}

t.test('1,000 requests at once, 2 % of them failing in every way there is: nobody else is disturbed', async t => {
  const { app, stored, quiet, database } = await buildApp(t, routes, {
    pool: { max: 8 },
    // A slow machine is no failure.
    outboxOptions: { connectTimeoutMs: 60_000 }
  })
  await database.pool.query(`create table unlucky (n integer);
    create function refuse() returns trigger language plpgsql as $$ begin raise exception 'unlucky' using errcode = '40001'; end $$;
    create constraint trigger refuse after insert on unlucky deferrable initially deferred for each row execute function refuse()`)
  const address = await listen(app)
  const names = Object.keys(faults)
  const plan = Array.from({ length: 1000 }, (_, i) => ({
    id: String(i).padStart(4, '0'),
    name: i % 50 === 7 ? (names[Math.floor(i / 50) % names.length] ?? '') : 'none'
  }))
  const answers = await Promise.all(
    plan.map(async ({ id, name }) => ({ id, name, status: await post(`${address}/${name}/${id}`) }))
  )
  await quiet()
  for (const { name, id, status } of answers.filter(a => a.name !== 'none'))
    t.equal(status, name === 'hijack' ? 500 : faults[name]?.status, `${name} ${id}`)
  t.same(
    answers.filter(a => a.name === 'none' && a.status !== 200),
    [],
    'every other request is answered 200'
  )
  const successful = answers.filter(a => a.status === 200).map(a => a.id)
  t.same(await stored(), { orders: successful, events: successful }, 'every 2xx is stored, every failure absent')
  t.equal(app.pg.pool.waitingCount, 0)
})
