import { createHmac } from 'node:crypto'

const derive = (secret: string, what: string, deploymentId: string) =>
  createHmac('sha256', secret).update(`${what}:${deploymentId}`).digest()

/** The password of a deployment's role: the same each time, made from the secret and the id, stored nowhere. */
export function derivePassword(secret: string, deploymentId: string): string {
  return derive(secret, 'password', deploymentId).toString('base64url')
}

/** The salt of the password's verifier, so that this too is the same each time. */
export function deriveSalt(secret: string, deploymentId: string): Buffer {
  return derive(secret, 'salt', deploymentId).subarray(0, 16)
}
