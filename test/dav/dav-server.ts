/**
 * What the tests of WebDAV have in common: a server, and requests of its methods.
 */
import { runServer, type ServerSettings } from '../http/running-server.ts'

export interface DavReply {
  readonly status: number
  readonly body: string
  readonly headers: Readonly<Record<string, unknown>>
}

export type Dav = (
  method: string,
  path: string,
  options?: { readonly body?: string; readonly headers?: Readonly<Record<string, string>> },
) => Promise<DavReply>

export async function davServer(t: Parameters<typeof runServer>[0], settings: ServerSettings = {}) {
  const running = await runServer(t, settings)
  const dav: Dav = async (method, path, { body, headers = {} } = {}) => {
    const reply = await running.server.inject({
      method: method as 'GET',
      url: `/dav/${path}`,
      headers,
      ...(body !== undefined && { payload: body }),
    })
    return { status: reply.statusCode, body: reply.body, headers: reply.headers }
  }
  return { ...running, dav }
}

/** The paths of a multistatus, in order. */
export function hrefsOf({ body }: DavReply): string[] {
  return [...body.matchAll(/<D:response><D:href>([^<]*)<\/D:href>/g)].map(match => match[1] as string)
}

/** The body of a request for an exclusive or shared lock. */
export function lockBody(scope: 'exclusive' | 'shared' = 'exclusive'): string {
  return `<?xml version="1.0"?><lockinfo xmlns="DAV:"><lockscope><${scope}/></lockscope><locktype><write/></locktype><owner><href>me</href></owner></lockinfo>`
}

export function tokenOf({ headers }: DavReply): string {
  return String(headers['lock-token']).slice(1, -1)
}
