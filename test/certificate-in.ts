import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** The files of a certificate for `localhost` and of its key, made by openssl; undefined where there is none. */
export function certificateIn(folder: string): { certFile: string; keyFile: string } | undefined {
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  const options =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost'
  try {
    execFileSync('openssl', [...options.split(' '), '-keyout', keyFile, '-out', certFile], {
      stdio: 'ignore',
    })
    return { certFile, keyFile }
  } catch {
    return undefined
  }
}
