/**
 * How the settings of the S3 endpoint become its configuration; read-config.ts reads all others.
 */
import type { S3Config, S3Key } from './config.ts'
import { StoreError } from './errors.ts'
import { SECRET_LENGTH_MIN, type SettingName } from './settings.ts'

/** What a user gave, and how it is named in messages. */
interface Found {
  readonly text: string
  readonly label: string
}

type Find = (name: SettingName) => Found | undefined

/**
 * The S3 endpoint that the settings ask for; undefined when they do not.
 * @throws StoreError INVALID_REQUEST.
 */
export function readS3Config(
  find: Find,
  node: { readonly port: number; readonly shortIsFine: boolean },
): S3Config | undefined {
  const { port, shortIsFine } = node
  const given = find('s3Key')
  const others = (['s3Port', 's3Domain', 's3CorsOrigin'] as const).map(find)
  const other = others.find(found => found !== undefined)
  if (given === undefined) {
    if (other === undefined) return undefined
    throw refusal(`${other.label} needs --s3-key ID:SECRET: without a key there is no S3 endpoint.`)
  }
  const keys = given.text.split(/[,\s]+/).filter(text => text !== '')
  const s3Port = find('s3Port')
  const ownPort = s3Port ? parsePort(s3Port) : port === 0 ? 0 : port + S3_PORT_OFFSET
  if (ownPort > 65_535 || (ownPort === port && port !== 0))
    throw refusal(`The S3 endpoint cannot have the port ${ownPort}; choose one with --s3-port.`)
  return {
    port: ownPort,
    keys: readS3Keys(keys, given.label, shortIsFine),
    domains: wordsOf(find('s3Domain'), /^[a-z0-9-]+(\.[a-z0-9-]+)*$/, 'a name is as in s3.example.com'),
    corsOrigins: wordsOf(
      find('s3CorsOrigin'),
      /^(\*|https?:\/\/[^\s/]+)$/,
      'an origin is * or as in https://example.com',
    ),
  }
}

/** From the port of a node to that of its S3 endpoint. */
const S3_PORT_OFFSET = 1000

/** Never puts a secret into a message. */
function readS3Keys(texts: readonly string[], label: string, shortIsFine: boolean): S3Key[] {
  const keys = texts.map(text => {
    const match = /^([A-Za-z0-9_.@/+-]{1,128}):([\x21-\x39\x3b-\x7e]{1,1024})(:ro)?$/.exec(text)
    if (match === null) throw refusal(`${label} has a key that is not ID:SECRET or ID:SECRET:ro.`)
    const [, id, secret, readOnly] = match as unknown as [string, string, string, string | undefined]
    if (secret.length < SECRET_LENGTH_MIN && !shortIsFine)
      throw refusal(
        `The secret of the S3 key ${id} has ${secret.length} characters; beyond loopback it needs at least ` +
          `${SECRET_LENGTH_MIN} (for example the output of "openssl rand -hex 24").`,
      )
    return { id, secret, readOnly: readOnly !== undefined }
  })
  if (keys.length === 0) throw refusal(`${label} has no key.`)
  const twice = keys.find(({ id }, index) => keys.findIndex(key => key.id === id) !== index)
  if (twice !== undefined) throw refusal(`${label} has the S3 key ${twice.id} twice.`)
  return keys
}

/** The words of a setting that can be given more than once, in lower case. */
function wordsOf(found: Found | undefined, pattern: RegExp, rule: string): string[] {
  const words = (found?.text ?? '')
    .split(',')
    .map(word => word.trim().toLowerCase())
    .filter(word => word !== '')
  const wrong = words.find(word => !pattern.test(word))
  if (wrong !== undefined) throw refusal(`${found?.label} has "${wrong}", and ${rule}.`)
  return [...new Set(words)]
}

/** @throws StoreError INVALID_REQUEST. */
export function parsePort({ text, label }: Found): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text)
  throw refusal(`${label} is "${text}", and a port is a number from 0 to 65535.`)
}

function refusal(message: string): StoreError {
  return new StoreError('INVALID_REQUEST', message)
}
