/**
 * Owns how flags and environment become the configuration of a node, and every refusal on the way. A flag beats the
 * environment, the environment beats the default.
 */
import { accessSync, constants, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { DEFAULT_LIMITS, LIMITS, type Limits, LOG_LEVELS, type LogLevel, type NodeConfig } from './config.ts'
import { StoreError } from './errors.ts'
import { parseQuantity } from './quantity.ts'
import type { Address } from './ring/identifier.ts'
import { longFlag, SECRET_LENGTH_MIN, SETTINGS, type Setting, type SettingName } from './settings.ts'

type Find = (name: SettingName) => Found | undefined

/** What the command line gave, by setting name; a setting that was not given is absent. */
export type Flags = { readonly [name in SettingName]?: string | boolean | readonly string[] }

/** As process.env. */
export type Environment = Readonly<Record<string, string | undefined>>

interface Found {
  readonly text: string
  readonly from: 'flag' | 'environment'
  /** What the user wrote, for messages: `--port` or `ALTERED_CHORD_PORT`. */
  readonly label: string
}

/**
 * The configuration of one node.
 * @throws StoreError INVALID_REQUEST with a sentence that says which setting is wrong and what to do.
 */
export function readNodeConfig(flags: Flags, environment: Environment): NodeConfig {
  const find: Find = name => findSetting(name, flags, environment)
  const host = readHost(find('host'))
  const port = readPort(find('port') ?? portOfPlatform(environment))
  const advertise = readAdvertise(find('advertise'))
  const tokens = readTokens(find)
  const secret = readSecret(find('secret'))
  if (!isLoopback(host) && !readBoolean(find('insecure'))) refuseOpenDoor(host, tokens.readWrite, secret)
  return {
    host,
    port,
    advertise,
    boots: readBoots(find, { host, port, advertise }, environment),
    wish: {},
    zone: undefined,
    joinTimeoutMs: 60_000,
    learn: 'path',
    dataDirectory: readDataDirectory(find, port),
    tokens,
    secret,
    tls: readTls(find),
    allowedExtensions: readExtensions(find('allowExtensions')),
    logLevel: readLogLevel(find('logLevel')),
    limits: readLimits(find),
  }
}

function findSetting(name: SettingName, flags: Flags, environment: Environment): Found | undefined {
  const setting: Setting = SETTINGS[name]
  const given = flags[name]
  if (given !== undefined) return { text: String(given), from: 'flag', label: longFlag(setting) }
  // An empty variable counts as none: compose files and unit files often hand empty ones on.
  const text = environment[setting.variable]
  if (text) return { text, from: 'environment', label: setting.variable }
  const file = setting.secret && environment[`${setting.variable}_FILE`]
  if (file)
    return { text: readSecretFile(file, setting), from: 'environment', label: `${setting.variable}_FILE` }
  return undefined
}

function readSecretFile(file: string, setting: Setting): string {
  try {
    return readFileSync(file, 'utf8').trimEnd()
  } catch (cause) {
    throw refusal(`${setting.variable}_FILE names ${file}, which cannot be read.`, cause)
  }
}

/** Platforms that run containers say by PORT where they expect an answer. */
function portOfPlatform(environment: Environment): Found | undefined {
  const text = environment.PORT
  return text ? { text, from: 'environment', label: 'PORT' } : undefined
}

function readPort(found: Found | undefined): number {
  if (found === undefined) return Number(SETTINGS.port.default)
  if (!/^\d{1,5}$/.test(found.text) || Number(found.text) > 65_535) {
    throw refusal(`${found.label} is "${found.text}", and a port is a number from 0 to 65535.`)
  }
  return Number(found.text)
}

function readHost(found: Found | undefined): string {
  if (found === undefined) return SETTINGS.host.default
  const host = found.text.replace(/^\[(.*)\]$/, '$1')
  if (
    !/^[0-9A-Za-z_.:%-]+$/.test(host) ||
    (host.includes(':') && !host.includes('::') && host.split(':').length < 8)
  ) {
    throw refusal(`${found.label} is "${found.text}", and a host is a name or an address without a port.`)
  }
  return host
}

function readAdvertise(found: Found | undefined): Address | undefined {
  if (found === undefined) return undefined
  const target = parseTarget(found.text)
  if (target === undefined || /^\d+$/.test(found.text)) {
    throw refusal(`${found.label} is "${found.text}", and an address is HOST:PORT or a URL.`)
  }
  return `${target.host}:${target.port}` as Address
}

/** PORT, HOST:PORT or URL; undefined when it is none of them. IPv6 hosts keep their brackets. */
function parseTarget(text: string): { host: string; port: number } | undefined {
  if (/^\d{1,5}$/.test(text))
    return Number(text) <= 65_535 ? { host: '127.0.0.1', port: Number(text) } : undefined
  const isUrl = /^https?:\/\//.test(text)
  if (!isUrl && !/:\d{1,5}$/.test(text)) return undefined
  const written = isUrl ? text : `http://${text}`
  if (!URL.canParse(written)) return undefined
  const url = new URL(written)
  if (url.hostname === '' || (url.pathname !== '/' && url.pathname !== '')) return undefined
  if (url.username !== '' || url.search !== '' || url.hash !== '') return undefined
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
  return { host: url.hostname, port }
}

/** The other nodes to join by; none when this node founds a network of its own. */
function readBoots(
  find: Find,
  self: { host: string; port: number; advertise: Address | undefined },
  environment: Environment,
): Address[] {
  const found = find('boot')
  // A port that the platform chose is nobody's decision to join port 5000.
  if (found === undefined && find('port') === undefined && environment.PORT) return []
  const boots: Address[] = []
  for (const text of (found?.text ?? SETTINGS.boot.default).split(',')) {
    const target = parseTarget(text.trim())
    if (target === undefined) {
      throw refusal(`${found?.label} is "${text}", and a node is a port, HOST:PORT or a URL.`)
    }
    const samePort = target.port === self.port && (isLoopback(target.host) || target.host === self.host)
    const address = `${target.host}:${target.port}` as Address
    if (!samePort && address !== self.advertise) boots.push(address)
  }
  return boots
}

function readTokens(find: Find): NodeConfig['tokens'] {
  const readWrite = readSecret(find('token'))
  const readOnly = readSecret(find('readToken'))
  if (readOnly !== undefined && readWrite === undefined) {
    throw refusal('--read-token needs --token beside it: without one nobody could write.')
  }
  if (readOnly !== undefined && readOnly === readWrite) {
    throw refusal('--read-token and --token are the same, so readers could write.')
  }
  return {
    ...(readWrite === undefined ? {} : { readWrite }),
    ...(readOnly === undefined ? {} : { readOnly }),
  }
}

/** Never puts the secret itself into a message. */
function readSecret(found: Found | undefined): string | undefined {
  if (found === undefined) return undefined
  if (!/^[\x21-\x7e]{1,1024}$/.test(found.text)) {
    throw refusal(`${found.label} must be 1 to 1,024 visible ASCII characters without spaces.`)
  }
  return found.text
}

function refuseOpenDoor(host: string, token: string | undefined, secret: string | undefined): void {
  const missing = [...(secret === undefined ? ['--secret'] : []), ...(token === undefined ? ['--token'] : [])]
  if (missing.length > 0) {
    throw refusal(
      `--host ${host} can be reached from other machines: add ${missing.join(' and ')} ` +
        '(for example the output of "openssl rand -hex 24"), or --insecure to let everybody in.',
    )
  }
  for (const [flag, value] of [['--secret', secret] as const, ['--token', token] as const]) {
    if (value !== undefined && value.length < SECRET_LENGTH_MIN) {
      throw refusal(
        `${flag} has ${value.length} characters; beyond loopback it needs at least ${SECRET_LENGTH_MIN} ` +
          '(for example the output of "openssl rand -hex 24").',
      )
    }
  }
}

/** True for names and addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  return name === 'localhost' || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name)
}

function readDataDirectory(find: Find, port: number): string | undefined {
  const data = find('data')
  const memory = find('memory')
  if (readBoolean(memory)) {
    if (data === undefined) return undefined
    if (data.from === memory?.from) throw refusal(`${memory.label} and ${data.label} contradict each other.`)
    return data.from === 'flag' ? resolve(data.text) : undefined
  }
  if (data !== undefined) return resolve(data.text)
  if (port === 0) throw refusal('With --port 0 say where files go: add --data FOLDER or --memory.')
  return resolve('data', String(port))
}

function readTls(find: Find): NodeConfig['tls'] {
  const cert = find('tlsCert')
  const key = find('tlsKey')
  if (cert === undefined && key === undefined) return undefined
  if (cert === undefined || key === undefined)
    throw refusal('--tls-cert and --tls-key belong together; one is missing.')
  for (const found of [cert, key]) {
    try {
      accessSync(found.text, constants.R_OK)
    } catch (cause) {
      throw refusal(`${found.label} names ${found.text}, which cannot be read.`, cause)
    }
  }
  return { certFile: resolve(cert.text), keyFile: resolve(key.text) }
}

function readExtensions(found: Found | undefined): readonly string[] | undefined {
  if (found === undefined) return undefined
  const extensions = found.text.split(',').map(text => text.trim().toLowerCase().replace(/^\./, ''))
  const wrong = extensions.find(extension => !/^[a-z0-9_+-]{1,32}$/.test(extension))
  if (wrong !== undefined) {
    throw refusal(`${found.label} has "${wrong}", and an extension is letters and digits such as txt or jpg.`)
  }
  return [...new Set(extensions)]
}

function readLogLevel(found: Found | undefined): LogLevel {
  if (found === undefined) return SETTINGS.logLevel.default
  const level = LOG_LEVELS.find(name => name === found.text)
  if (level === undefined)
    throw refusal(`${found.label} is "${found.text}", and can be ${LOG_LEVELS.join(', ')}.`)
  return level
}

function readBoolean(found: Found | undefined): boolean {
  if (found === undefined) return false
  const text = found.text.toLowerCase()
  if (['true', '1', 'yes'].includes(text)) return true
  if (['false', '0', 'no'].includes(text)) return false
  throw refusal(`${found.label} is "${found.text}", and can be true or false.`)
}

function readLimits(find: Find): Limits {
  const limits: Record<keyof Limits, number> = { ...DEFAULT_LIMITS }
  for (const [name, setting] of Object.entries(SETTINGS) as [SettingName, Setting][]) {
    if (setting.limit === undefined) continue
    const found = find(name)
    if (found === undefined) continue
    const { unit, min, max } = LIMITS[setting.limit]
    const value = parseQuantity(found.text, unit)
    if (value === undefined || value < min || value > max) {
      throw refusal(`${found.label} is "${found.text}", and can be ${setting.bounds}.`)
    }
    limits[setting.limit] = value
  }
  return limits
}

function refusal(message: string, cause?: unknown): StoreError {
  return new StoreError('INVALID_REQUEST', message, cause === undefined ? {} : { cause })
}
