import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { dropUnusedConnections } from '@steadfast-examples/service'
import Fastify from 'fastify'
import t from 'tap'

t.test(
  'a connection without a request does not hold up the end of a service, one with a request is served',
  async t => {
    const app = Fastify()
    dropUnusedConnections(app)
    let finish = () => {}
    const arrived = new Promise<void>(resolve => {
      app.get('/', async () => {
        resolve()
        await new Promise<void>(done => {
          finish = done
        })
        return 'served'
      })
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    const unused = connect(port, '127.0.0.1')
    await once(unused.resume(), 'connect')
    const served = fetch(`http://127.0.0.1:${port}/`).then(response => response.text())
    await arrived
    const closed = app.close()
    await once(unused, 'close')
    finish()
    t.equal(await served, 'served')
    await closed
  }
)
