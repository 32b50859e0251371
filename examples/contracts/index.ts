export { DeploymentFailed, DeploymentRequested, DeploymentSucceeded } from './deployment-events.ts'
export {
  type Plan,
  type PostgresPlan,
  POSTGRES_PLANS,
  type Product,
  ProductSchema,
  PRODUCTS,
  SleeperParameters
} from './products.ts'
