/**
 * Garage as something to stand beside: its S3 endpoint, by URLs that are signed before a load begins. With LMDB for its
 * index, as its makers recommend.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  canonicalRequest,
  percentEncode,
  type Scope,
  signatureOf,
  signingKey,
  stringToSign,
} from '../../src/s3/sigv4.ts'
import { freePort, waitFor } from '../../test/e2e/harness.ts'
import { plainServer, type ServerProcess, startServer } from './process-server.ts'
import type { Server } from './server.ts'

const run = promisify(execFile)

const REGION = 'garage'
const BUCKET = 'bench'
const KEY_ID = `GK${'0123456789abcdef01234567'}`
const SECRET = '0123456789abcdef'.repeat(4)

/** How long a signed URL is good for, seconds: longer than any run. */
const SIGNED_SECONDS = 86_400

export interface GarageOptions {
  readonly nodes: number
  /** Whether it syncs its index and its blocks before it answers; by default it does neither. */
  readonly isSynced: boolean
}

/** Starts so many nodes with a copy on each of three at the most, and a bucket. */
export async function openGarage({ nodes, isSynced }: GarageOptions, directory: string): Promise<Server> {
  const secret = randomBytes(32).toString('hex')
  const started: ServerProcess[] = []
  const configs: string[] = []
  const apiPorts: number[] = []
  const garage = async (index: number, ...flags: string[]) => {
    const config = configs[index] as string
    return (await run('garage', ['-c', config, ...flags])).stdout
  }
  for (let index = 0; index < nodes; index++) {
    const [api, rpc] = [await freePort(), await freePort()]
    const folder = join(directory, String(index))
    await mkdir(folder, { recursive: true })
    const config = join(folder, 'garage.toml')
    await writeFile(
      config,
      `metadata_dir = "${folder}/meta"
data_dir = "${folder}/data"
db_engine = "lmdb"
replication_factor = ${Math.min(nodes, 3)}
metadata_fsync = ${isSynced}
data_fsync = ${isSynced}
rpc_bind_addr = "127.0.0.1:${rpc}"
rpc_public_addr = "127.0.0.1:${rpc}"
rpc_secret = "${secret}"
[s3_api]
s3_region = "${REGION}"
api_bind_addr = "127.0.0.1:${api}"
`,
    )
    configs.push(config)
    apiPorts.push(api)
    const options = { isSilent: true, environment: { RUST_LOG: 'garage=error' } }
    started.push(await startServer('Garage', rpc, 'garage', ['-c', config, 'server'], options))
  }
  const identities: string[] = []
  for (let index = 0; index < nodes; index++)
    identities.push((await garage(index, 'node', 'id', '-q')).trim())
  for (const identity of identities.slice(1)) await garage(0, 'node', 'connect', identity)
  for (const identity of identities) {
    const [id] = identity.split('@') as [string]
    await garage(0, 'layout', 'assign', '-z', 'zone', '-c', '10G', id)
  }
  await garage(0, 'layout', 'apply', '--version', '1')
  const isThere = () =>
    garage(0, 'key', 'import', '--yes', '-n', 'bench', KEY_ID, SECRET).then(
      () => true,
      () => false,
    )
  await waitFor(isThere, { what: 'Garage takes a key', timeoutMs: 60_000, pauseMs: 200 })
  await garage(0, 'bucket', 'create', BUCKET)
  await garage(0, 'bucket', 'allow', '--read', '--write', '--owner', BUCKET, '--key', KEY_ID)

  const port = apiPorts[0] as number
  const signer = signerFor(`127.0.0.1:${port}`)
  return {
    ...plainServer(isSynced ? 'Garage, fsync' : 'Garage', port, started[0] as ServerProcess),
    pids: started.map(({ pid }) => pid),
    putTarget: path => signer('PUT', path),
    getTarget: path => signer('GET', path),
    removeTarget: path => signer('DELETE', path),
    signedTargets: (prefix, count) =>
      Array.from({ length: count }, (_, number) => signer('PUT', `${prefix}/${number % 256}/${number}`)),
    async stop() {
      for (const process of started) await process.stop()
    },
  }
}

/** Signs the query of a request for a path of plain ASCII segments (AWS Signature Version 4). */
function signerFor(host: string): (method: string, path: string) => string {
  const timestamp = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  const scope: Scope = { date: timestamp.slice(0, 8), region: REGION, service: 's3' }
  const key = signingKey(SECRET, scope)
  return (method, path) => {
    const rawPath = `/${BUCKET}/${path}`
    const query: [string, string][] = [
      ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
      ['X-Amz-Credential', `${KEY_ID}/${scope.date}/${scope.region}/s3/aws4_request`],
      ['X-Amz-Date', timestamp],
      ['X-Amz-Expires', String(SIGNED_SECONDS)],
      ['X-Amz-SignedHeaders', 'host'],
    ]
    const canonical = canonicalRequest({
      ...{ method, rawPath, query, headers: new Map([['host', [host]]]), signedHeaders: ['host'] },
      payloadHash: 'UNSIGNED-PAYLOAD',
    })
    const signature = signatureOf(key, stringToSign(timestamp, scope, canonical))
    const sent = [...query, ['X-Amz-Signature', signature] as const]
    return `${rawPath}?${sent.map(([name, value]) => `${name}=${percentEncode(value)}`).join('&')}`
  }
}
