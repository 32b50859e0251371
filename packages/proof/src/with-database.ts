import { randomBytes } from 'node:crypto'
import pg from 'pg'

/** Runs on an empty database of its own on this server, which is dropped afterwards. */
export async function withDatabase<T>(server: string, use: (url: string, pool: pg.Pool) => Promise<T>): Promise<T> {
  const name = `proof_${process.pid}_${randomBytes(4).toString('hex')}`
  await onServer(server, `create database ${name} template template0`)
  const url = new URL(server)
  url.pathname = `/${name}`
  const pool = new pg.Pool({ connectionString: url.href })
  pool.on('error', () => {})
  try {
    return await use(url.href, pool)
  } finally {
    await pool.end()
    await onServer(server, `drop database if exists ${name} with (force)`)
  }
}

async function onServer(connectionString: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
