/**
 * Nginx with its DAV module as the baseline: one worker, its own configuration, folder and port.
 *
 * It is set up to be fast: no access log, sendfile, connections that never end, and open files kept in its cache.
 */
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../test/e2e/harness.ts'
import { versionOf } from '../machine.ts'
import { plainServer, startServer } from './process-server.ts'
import type { Server } from './server.ts'

export async function nginxIsInstalled(): Promise<boolean> {
  return (await versionOf('nginx', '-v')) !== undefined
}

/** Starts nginx on a folder of its own. PUT writes a temporary file and renames it; nothing is synced. */
export async function openNginx(directory: string): Promise<Server> {
  const port = await freePort()
  const root = join(directory, 'files')
  for (const folder of [directory, root, join(directory, 'temp')]) {
    await mkdir(folder, { recursive: true })
    await chmod(folder, 0o755)
  }
  const configFile = join(directory, 'nginx.conf')
  await writeFile(configFile, configuration(directory, root, port))
  // No master process: the one process that is started does the work, and its id is the one to measure and to end.
  return plainServer(
    'nginx',
    port,
    await startServer('nginx', port, 'nginx', ['-c', configFile, '-p', directory]),
  )
}

function configuration(directory: string, root: string, port: number): string {
  return `
daemon off;
master_process off;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log warn;
events { worker_connections 4096; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  open_file_cache max=10000 inactive=600s;
  client_max_body_size 0;
  client_body_temp_path ${directory}/temp;
  proxy_temp_path ${directory}/temp;
  fastcgi_temp_path ${directory}/temp;
  uwsgi_temp_path ${directory}/temp;
  scgi_temp_path ${directory}/temp;
  default_type application/octet-stream;
  server {
    listen 127.0.0.1:${port};
    root ${root};
    location / {
      dav_methods PUT DELETE;
      create_full_put_path on;
    }
  }
}
`
}
