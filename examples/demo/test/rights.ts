import { readFileSync } from 'node:fs'
import { until } from '@steadfast/dev-services'
import kafkajs, { type Admin } from 'kafkajs'

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs

/** What a user may do with a topic or a group. */
export interface Right {
  user: string
  operation: 'Read' | 'Write'
  kind: 'topic' | 'group'
  name: string
}

const PAGE = new URL('../../../packages/transport-kafka/RIGHTS.md', import.meta.url)

/**
 * The rights of the example's services, as the page grants them.
 *
 * @throws Error naming a right that is written otherwise than expected
 */
export function readRights(page: string = readFileSync(PAGE, 'utf8')): Right[] {
  return [...page.matchAll(/^\| `User:(\w+)` \| (.*) \|$/gm)].flatMap(([, user = '', rights = '']) =>
    rights.split('; ').flatMap(text => {
      const [, operation, group, names] = /^`(Read|Write)` on (group )?(`[^`]+`(?: and `[^`]+`)*)$/.exec(text) ?? []
      if (operation === undefined || names === undefined) throw new Error(`what does "${text}" allow?`)
      return names.split(' and ').map(
        (name): Right => ({
          user,
          operation: operation as Right['operation'],
          kind: group === undefined ? 'topic' : 'group',
          name: name.slice(1, -1)
        })
      )
    })
  )
}

/** As a person would say it. */
export const describeRight = ({ user, operation, kind, name }: Right) => `${user}: ${operation} on ${kind} ${name}`

const aclOf = ({ user, operation, kind, name }: Right) => ({
  resourceType: kind === 'topic' ? AclResourceTypes.TOPIC : AclResourceTypes.GROUP,
  resourceName: name,
  resourcePatternType: ResourcePatternTypes.LITERAL,
  principal: `User:${user}`,
  host: '*',
  operation: operation === 'Read' ? AclOperationTypes.READ : AclOperationTypes.WRITE,
  permissionType: AclPermissionTypes.ALLOW
})

// Answered by what the broker enforces, which lags behind what the controller stored.
const isGranted = async (admin: Admin, right: Right) => (await admin.describeAcls(aclOf(right))).resources.length > 0

/** Resolves when the broker goes by it. */
export async function grant(admin: Admin, right: Right): Promise<void> {
  await admin.createAcls({ acl: [aclOf(right)] })
  await until(() => isGranted(admin, right), { what: `${describeRight(right)} to be granted` })
}

/** Resolves when the broker goes by it. */
export async function withdraw(admin: Admin, right: Right): Promise<void> {
  await admin.deleteAcls({ filters: [aclOf(right)] })
  await until(async () => !(await isGranted(admin, right)), { what: `${describeRight(right)} to be withdrawn` })
}

/** What a broker has denied so far, by its log. */
export function readDenials(log: string): string[] {
  const denials = readFileSync(log, 'utf8').matchAll(
    /Principal = User:(\w+) is Denied operation = (\w+) .*resource = (\S+)/g
  )
  return [...denials].map(([, user, operation, resource]) => `${user}: ${operation} on ${resource}`)
}
