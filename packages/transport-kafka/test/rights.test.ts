import { randomUUID } from 'node:crypto'
import { until } from '@steadfast/dev-services'
import { AUTHORIZER } from '@steadfast/dev-services/kafka-acl'
import type { Delivery } from '@steadfast/events'
import kafkajs, { type Admin } from 'kafkajs'
import t from 'tap'
import {
  about,
  brokerBehindProxy,
  IMPATIENT,
  message,
  newTopic,
  outcomes,
  publish,
  skip,
  store,
  texts,
  transport
} from './helper.ts'

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs

/** From now on this is all that anybody may do with the topic or group. */
async function allowOnly(
  admin: Admin,
  kind: 'TOPIC' | 'GROUP',
  resourceName: string,
  right: 'READ' | 'WRITE' | 'DESCRIBE'
) {
  const acl = {
    resourceType: AclResourceTypes[kind],
    resourceName,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: 'User:*',
    host: '*',
    operation: AclOperationTypes[right],
    permissionType: AclPermissionTypes.ALLOW
  }
  await admin.createAcls({ acl: [acl] })
  // Answered by what the broker enforces, which lags behind what the controller stored.
  const { principal: _, host: __, ...filter } = acl
  await until(async () => (await admin.describeAcls(filter)).resources.length > 0, { what: 'the right to be known' })
}

t.test('a service works under the rights of RIGHTS.md, and says which topic lacks one', { skip }, async t => {
  const { brokers } = await brokerBehindProxy(t, AUTHORIZER)
  const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin()
  await admin.connect()
  t.teardown(() => admin.disconnect())
  const others = transport(t, brokers, IMPATIENT)
  const [events, results] = [await newTopic(others, 2), await newTopic(others, 2)]
  const group = `deploy-${randomUUID()}`
  await store(others, [message(events, 'k', 'request')])
  await allowOnly(admin, 'TOPIC', events, 'READ')
  await allowOnly(admin, 'TOPIC', results, 'WRITE')
  await allowOnly(admin, 'GROUP', group, 'READ')

  const service = transport(t, brokers, IMPATIENT)
  const seen: Delivery[] = []
  const subscription = await service.subscribe({ group, topics: [events], maxInFlight: 10 }, delivery => {
    seen.push(delivery)
    delivery.done()
  })
  await until(() => seen.length === 1, { what: 'the request' })
  t.same(texts(seen), ['request'])
  await until(async () => (await subscription.lag()) === 0n, { what: 'lag 0' })
  await service.ensureTopics([{ name: events, partitions: 2 }])

  const answers = await publish(service, [message(results, 'k', 'answer'), message(events, 'k', 'forbidden')])
  t.same(outcomes(answers), ['ok', 'unavailable'])
  t.same(about(answers), [undefined, 'topic'])
  const failure = answers[1]
  t.ok(failure && !failure.ok && failure.error.message.includes(events), 'the error names the topic')
  t.same(service.health(), { ready: true })

  const reader = transport(t, brokers, IMPATIENT)
  await reader.subscribe({ group: `other-${group}`, topics: [results], maxInFlight: 10 }, delivery =>
    seen.push(delivery)
  )
  await until(() => reader.health().reason?.includes(results) && reader.health().reason?.match(/authori/i), {
    what: 'health to name the topic that may not be read'
  })
  t.equal(seen.length, 1)
})
