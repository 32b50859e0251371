import kafkajs, { type Admin } from 'kafkajs'
import { until } from './until.ts'

/** Settings of a broker on which {@link denyWriting} works: an authorizer that refuses nothing before it is told to. */
export const AUTHORIZER = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'allow.everyone.if.no.acl.found': 'true'
}

/** From now on the broker refuses to append to the topic, while everything else works. Returns what takes it back. */
export async function denyWriting(admin: Admin, topic: string): Promise<() => Promise<void>> {
  const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs
  const on = {
    resourceType: AclResourceTypes.TOPIC,
    resourceName: topic,
    resourcePatternType: ResourcePatternTypes.LITERAL
  }
  const who = { principal: 'User:*', host: '*' }
  const allow = { ...on, ...who, operation: AclOperationTypes.ALL, permissionType: AclPermissionTypes.ALLOW }
  const deny = { ...on, ...who, operation: AclOperationTypes.WRITE, permissionType: AclPermissionTypes.DENY }
  // Answered by what the broker enforces, which lags behind what the controller stored.
  const denied = async () => {
    const { resourceType, resourceName, resourcePatternType, operation, permissionType } = deny
    const filter = { resourceType, resourceName, resourcePatternType, operation, permissionType }
    return (await admin.describeAcls(filter)).resources.length > 0
  }
  await admin.createAcls({ acl: [allow, deny] })
  await until(denied, { what: 'writing to be denied' })
  return async () => {
    await admin.deleteAcls({ filters: [deny] })
    await until(async () => !(await denied()), { what: 'writing to be allowed' })
  }
}
