// Run with the preload of the services: brings the database at DATABASE_URL to the version of this tree.
import { migrate } from '@steadfast/store'
import pg from 'pg'

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL })
await migrate(pool)
await pool.end()
