/**
 * SeaweedFS as something to stand beside: one master, volume servers, and a filer, which gives files by path. Its settings
 * are those that it has by default; it sends its makers nothing.
 */
import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { freePort, waitFor } from '../../test/e2e/harness.ts'
import { plainServer, type ServerProcess, startServer } from './process-server.ts'
import type { Server } from './server.ts'

/** Its gRPC ports are these much higher than its HTTP ports. */
const GRPC_OFFSET = 10_000

/** Copies in a network of so many volume servers: "002" is two more, on other servers of the same rack. */
function placementOf(volumeServers: number): string {
  return volumeServers === 1 ? '000' : '002'
}

/** Two contenders on the same processes: puts that answer before anything is synced, and puts with `fsync=true`. */
export async function openSeaweedFs(volumeServers: number, directory: string): Promise<Server[]> {
  const started: ServerProcess[] = []
  const start = async (kind: string, folder: string, flags: (port: number) => string[]): Promise<number> => {
    const port = await freePortPair()
    const where = join(directory, folder)
    await mkdir(where, { recursive: true })
    const common = ['-logtostderr=true', '-v=-1', kind, '-ip=127.0.0.1', `-port=${port}`]
    const all = [...common, `-port.grpc=${port + GRPC_OFFSET}`, ...flags(port)]
    const name = `SeaweedFS (${kind})`
    const options = { directory: where, isSilent: true }
    started.push(await startServer(name, port, 'weed', all, options))
    return port
  }
  const placement = placementOf(volumeServers)
  const master = await start('master', 'master', () => [
    ...['-mdir=.', '-telemetry=false', '-volumeSizeLimitMB=1024', `-defaultReplication=${placement}`],
  ])
  for (let index = 0; index < volumeServers; index++) {
    await start('volume', `volume-${index}`, () => [
      ...['-dir=.', `-master=127.0.0.1:${master}`, '-max=100', '-preStopSeconds=0'],
    ])
  }
  const filer = await start('filer', 'filer', port => [
    ...[`-master=127.0.0.1:${master}`, '-defaultStoreDir=.', `-defaultReplicaPlacement=${placement}`],
    `-localSocket=${join(directory, `filer-${port}.sock`)}`,
  ])
  const stores = () =>
    fetch(`http://127.0.0.1:${filer}/ready`, { method: 'PUT', body: 'ready' }).then(
      ({ ok }) => ok,
      () => false,
    )
  await waitFor(stores, { what: 'SeaweedFS stores a file', timeoutMs: 90_000, pauseMs: 200 })

  const pids = started.map(({ pid }) => pid)
  const plain = plainServer('SeaweedFS', filer, started.at(-1) as ServerProcess)
  const unsynced: Server = {
    ...plain,
    pids,
    async stop() {
      for (const process of started.toReversed()) await process.stop()
    },
  }
  const synced: Server = {
    ...unsynced,
    name: 'SeaweedFS, fsync',
    putQuery: '?fsync=true',
    stop: async () => {},
  }
  return [unsynced, synced]
}

/** A port that nobody listens on, nor on that for gRPC: outgoing connections take ports of that range, too. */
async function freePortPair(): Promise<number> {
  for (;;) {
    const port = await freePort()
    const isFree = await new Promise<boolean>(resolve => {
      const server = createServer()
      server.once('error', () => resolve(false))
      server.listen(port + GRPC_OFFSET, '127.0.0.1', () => server.close(() => resolve(true)))
    })
    if (isFree) return port
  }
}
