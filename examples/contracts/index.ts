export { DeploymentFailed, DeploymentRequested, DeploymentSucceeded } from './deployment-events.ts'
export {
  type Plan,
  POSTGRES_PLANS,
  type PostgresPlan,
  PRODUCTS,
  type Product,
  ProductSchema,
  SleeperParameters
} from './products.ts'
export { Uuid } from './uuid.ts'
