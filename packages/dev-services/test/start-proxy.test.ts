import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { startProxy, until } from '../src/index.ts'

/** A server that gives every byte back, and what it has received. */
async function echo(t: Test) {
  const received: Buffer[] = []
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', data => received.push(data))
    socket.pipe(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const proxy = await startProxy({ targetPort: (server.address() as AddressInfo).port })
  t.teardown(() => proxy.close())
  return { proxy, server, sockets, received: () => Buffer.concat(received).toString() }
}

async function dial(t: Test, port: number) {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  let error: NodeJS.ErrnoException | undefined
  socket.setEncoding('utf8').on('data', data => {
    text += data
  })
  socket.on('error', (reason: NodeJS.ErrnoException) => {
    error = reason
  })
  t.teardown(() => socket.destroy())
  await until(() => !socket.connecting || error !== undefined, { what: 'an answer to connect' })
  const gone = () => until(() => socket.destroyed, { what: 'the end of the connection' })
  return { socket, text: () => text, errorCode: () => error?.code, gone }
}

t.test('passes bytes in both directions, in order, and the end of each', async t => {
  const { proxy, received } = await echo(t)
  const { socket, text } = await dial(t, proxy.port)
  const body = Array.from({ length: 50000 }, (_, i) => `${i}\n`).join('')
  socket.end(body)
  await once(socket, 'end')
  t.equal(received(), body)
  t.equal(text(), body)
})

t.test('cut resets connections and refuses new ones until restored', async t => {
  const { proxy } = await echo(t)
  const first = await dial(t, proxy.port)
  first.socket.write('a')
  await until(() => first.text() === 'a', { what: 'the echo' })
  await proxy.cut()
  await first.gone()
  t.equal(first.errorCode(), 'ECONNRESET')
  t.equal((await dial(t, proxy.port)).errorCode(), 'ECONNREFUSED')
  await proxy.restore()
  const second = await dial(t, proxy.port)
  second.socket.write('b')
  await until(() => second.text() === 'b', { what: 'the echo after restore' })
})

t.test('dropConnections resets what there is and takes new connections', async t => {
  const { proxy } = await echo(t)
  const first = await dial(t, proxy.port)
  first.socket.write('a')
  await until(() => first.text() === 'a', { what: 'the echo' })
  proxy.dropConnections()
  await first.gone()
  t.equal(first.errorCode(), 'ECONNRESET')
  const second = await dial(t, proxy.port)
  second.socket.write('b')
  await until(() => second.text() === 'b', { what: 'the echo on the new connection' })
})

t.test('blackhole to the client: the server has got it, the client never hears', async t => {
  const { proxy, received, sockets } = await echo(t)
  const { socket, text, gone } = await dial(t, proxy.port)
  await until(() => sockets.size === 1, { what: 'the connection' })
  proxy.blackhole('to-client')
  socket.write('a')
  await until(() => received() === 'a', { what: 'the byte at the server' })
  await until(() => proxy.swallowedBytes === 1, { what: 'the echo swallowed' })
  await proxy.restore()
  await gone()
  t.equal(text(), '')
})

t.test('blackhole to the server: nothing arrives, the server still speaks', async t => {
  const { proxy, received, sockets } = await echo(t)
  const { socket, text, gone } = await dial(t, proxy.port)
  await until(() => sockets.size === 1, { what: 'the connection' })
  proxy.blackhole('to-server')
  socket.write('lost')
  for (const server of sockets) server.write('hello')
  await until(() => text() === 'hello', { what: 'the greeting' })
  await until(() => proxy.swallowedBytes === 4, { what: 'the bytes swallowed' })
  await proxy.restore()
  await gone()
  t.equal(received(), '')
})

t.test('blackhole hides that the server is gone', async t => {
  const { proxy, sockets } = await echo(t)
  const { socket, gone } = await dial(t, proxy.port)
  await until(() => sockets.size === 1, { what: 'the connection' })
  proxy.blackhole('both')
  for (const server of sockets) server.end()
  socket.write('a')
  await until(() => [...sockets].every(server => server.writableFinished), { what: 'the end at the server' })
  await until(() => proxy.swallowedBytes === 1, { what: 'the byte swallowed' })
  t.notOk(socket.readableEnded)
  t.notOk(socket.destroyed)
  await proxy.restore()
  await gone()
})

t.test('delay holds bytes back, and keeps their order when it ends', async t => {
  const { proxy, received } = await echo(t)
  const { socket, text } = await dial(t, proxy.port)
  proxy.delay(300)
  const begin = performance.now()
  socket.write('a')
  await until(() => received() === 'a', { what: 'the delayed byte' })
  t.ok(performance.now() - begin >= 299, 'never earlier than the delay')
  socket.write('b')
  await until(() => text() === 'a', { what: 'the delayed echo' })
  proxy.delay(0)
  socket.write('c')
  await until(() => text() === 'abc', { what: 'the rest' })
})

t.test('a server that is not there resets the connection', async t => {
  const { proxy, server } = await echo(t)
  server.close()
  const { gone } = await dial(t, proxy.port)
  await gone()
})
