/**
 * How flags and environment become the configuration of a node, and every refusal on the way. A flag beats the
 * environment, the environment beats the default.
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import {
  CONFLICTS,
  CONSISTENCIES,
  DEFAULT_LIMITS,
  JOIN_TIMEOUT,
  LEARNING_MODES,
  LIMITS,
  type Limits,
  LOG_LEVELS,
  type LogLevel,
  NETWORK_BOUNDS,
  type NodeConfig,
  ROUTINGS,
  TRASH,
  TRASH_SHARE,
} from './config.ts'
import { StoreError } from './errors.ts'
import { parseQuantity, type Unit } from './quantity.ts'
import { readRouting } from './read-routing-config.ts'
import { parsePort, readS3Config } from './read-s3-config.ts'
import { readTls } from './read-tls-config.ts'
import { addressOfTarget, isLoopback, parseTarget } from './ring/address.ts'
import type { Address } from './ring/identifier.ts'
import {
  longFlag,
  MEANINGLESS,
  parseBoolean,
  SECRET_LENGTH_MIN,
  SETTINGS,
  type Setting,
  type SettingName,
} from './settings.ts'

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
  const port = readPort(find('port') ?? variableOf('PORT', environment))
  const advertise = readAdvertise(find('advertise') ?? variableOf('SELF_URL', environment))
  const tokens = readTokens(find)
  const secret = readSecretList(find('secret'))
  const shareKey = readSecret(find('shareKey'))
  if (!isLoopback(host) && !readBoolean(find('insecure')))
    refuseOpenToAll(host, tokens.readWrite, secret, shareKey)
  const boots = readBoots(find, { host, port, advertise }, environment)
  return {
    host,
    port,
    advertise,
    ...boots,
    wish: readWish(find),
    zone: readZone(find('zone')),
    joinTimeoutMs: readJoinTimeout(find('joinTimeout')),
    ...readRouting({
      learn: readChoice('learn', find, LEARNING_MODES),
      routing: readChoice('routing', find, ROUTINGS),
      gossip: find('gossip'),
    }),
    dataDirectory: readDataDirectory(find, port),
    trash: { keptMs: readTrash(find('trash')), share: readTrashShare(find('trashShare')) },
    tokens,
    secret,
    shareKey,
    tls: readTls(find('tlsCert'), find('tlsKey')),
    s3: readS3Config(find, { port, shortIsFine: isLoopback(host) || readBoolean(find('insecure')) }),
    allowedExtensions: readExtensions(find('allowExtensions')),
    logLevel: readChoice('logLevel', find, LOG_LEVELS) satisfies LogLevel,
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

/** PORT, SELF_URL and PEERS, by which platforms that run containers say where a node is and who else there is. */
function variableOf(label: 'PORT' | 'SELF_URL' | 'PEERS', environment: Environment): Found | undefined {
  const text = environment[label]
  return text ? { text, from: 'environment', label } : undefined
}

function readPort(found: Found | undefined): number {
  return found === undefined ? Number(SETTINGS.port.default) : parsePort(found)
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
  return addressOfTarget(target)
}

/** Where this node is, as far as the settings say. */
interface Self {
  readonly host: string
  readonly port: number
  readonly advertise: Address | undefined
}

/** The other nodes to join by; none when this node founds a network of its own. */
function readBoots(
  find: Find,
  self: Self,
  environment: Environment,
): Pick<NodeConfig, 'boots' | 'namesBoots' | 'foundsWhenNoneHas'> {
  const found = find('boot')
  const peers = found === undefined ? variableOf('PEERS', environment) : undefined
  if (peers !== undefined) return readPeers(peers, self)
  // A port that the platform chose is nobody's decision to join port 5000.
  if (found === undefined && find('port') === undefined && environment.PORT)
    return { boots: [], namesBoots: false, foundsWhenNoneHas: false }
  const label = found?.label ?? '--boot'
  const boots = addressesOf({ text: found?.text ?? SETTINGS.boot.default, label }, self)
  return { boots, namesBoots: found !== undefined, foundsWhenNoneHas: false }
}

/**
 * PEERS names all nodes of a network that is started at once, perhaps this one among them: the smallest address of all
 * founds the network, once all others have said that they have none.
 */
function readPeers(found: Found, self: Self): Pick<NodeConfig, 'boots' | 'namesBoots' | 'foundsWhenNoneHas'> {
  const boots = addressesOf(found, self)
  const own = self.advertise ?? `${self.host.includes(':') ? `[${self.host}]` : self.host}:${self.port}`
  return { boots, namesBoots: true, foundsWhenNoneHas: boots.every(address => own < address) }
}

/** The nodes that a list names, without this one. */
function addressesOf({ text, label }: Pick<Found, 'text' | 'label'>, self: Self): Address[] {
  const addresses: Address[] = []
  for (const written of text.split(',')) {
    const target = parseTarget(written.trim())
    if (target === undefined) {
      throw refusal(`${label} is "${written}", and a node is a port, HOST:PORT or a URL.`)
    }
    const samePort = target.port === self.port && (isLoopback(target.host) || target.host === self.host)
    const address = addressOfTarget(target)
    if (!samePort && address !== self.advertise) addresses.push(address)
  }
  return addresses
}

/** What is asked of the network. What is not given is the network's own affair. */
function readWish(find: Find): NodeConfig['wish'] {
  const wish: Record<string, number> = {}
  for (const name of ['replicas', 'minReplicas', 'virtualNodes'] as const) {
    const found = find(name)
    if (found === undefined) continue
    const { min, max } = NETWORK_BOUNDS[name]
    const value = parseQuantity(found.text, 'count')
    if (value === undefined || value < min || value > max)
      throw refusal(`${found.label} is "${found.text}", and can be ${min} to ${max}.`)
    wish[name] = value
  }
  if (wish.replicas !== undefined && wish.minReplicas !== undefined && wish.minReplicas > wish.replicas) {
    throw refusal('--min-replicas is more than --replicas, so that every write would be refused.')
  }
  const consistency = find('consistency') && readChoice('consistency', find, CONSISTENCIES)
  const conflicts = find('conflicts') && readChoice('conflicts', find, CONFLICTS)
  const useless = consistency && MEANINGLESS[consistency].map(find).find(found => found && found.text !== '0')
  if (useless) throw refusal(`${useless.label} has no meaning with --consistency ${consistency}.`)
  return { ...wish, ...(consistency && { consistency }), ...(conflicts && { conflicts }) }
}

function readZone(found: Found | undefined): string | undefined {
  if (found === undefined) return undefined
  if (/^[\x21-\x7e]{1,64}$/.test(found.text)) return found.text
  throw refusal(`${found.label} is "${found.text}", and a zone is 1 to 64 visible ASCII characters.`)
}

function readJoinTimeout(found: Found | undefined): number {
  if (found === undefined) return JOIN_TIMEOUT.default
  const value = parseQuantity(found.text, JOIN_TIMEOUT.unit)
  if (value !== undefined && value >= JOIN_TIMEOUT.min && value <= JOIN_TIMEOUT.max) return value
  const hint = unitHint(found.text, JOIN_TIMEOUT.unit)
  throw refusal(`${found.label} is "${found.text}", and can be ${SETTINGS.joinTimeout.bounds}${hint}.`)
}

function readTrash(found: Found | undefined): number {
  if (found === undefined) return TRASH.default
  if (found.text === '0') return 0
  const value = parseQuantity(found.text, 'ms')
  if (value !== undefined && value >= TRASH.min && value <= TRASH.max) return value
  const hint = unitHint(found.text, 'ms')
  throw refusal(`${found.label} is "${found.text}", and can be ${SETTINGS.trash.bounds}${hint}.`)
}

function readTrashShare(found: Found | undefined): number {
  const percent = found === undefined ? TRASH_SHARE.default : Number(/^(\d{1,2})%?$/.exec(found.text)?.[1])
  if (percent >= TRASH_SHARE.min && percent <= TRASH_SHARE.max) return percent / 100
  throw refusal(`${found?.label} is "${found?.text}", and can be ${SETTINGS.trashShare.bounds}.`)
}

function readTokens(find: Find): NodeConfig['tokens'] {
  const readWrite = readSecretList(find('token'))
  const readOnly = readSecretList(find('readToken'))
  if (readOnly !== undefined && readWrite === undefined) {
    throw refusal('--read-token needs --token beside it: without one nobody could write.')
  }
  if (readOnly?.split(',').some(token => readWrite?.split(',').includes(token))) {
    throw refusal('--read-token and --token are the same, so readers could write.')
  }
  return {
    ...(readWrite === undefined ? {} : { readWrite }),
    ...(readOnly === undefined ? {} : { readOnly }),
  }
}

/** One token or secret, or several that count, separated by commas. */
function readSecretList(found: Found | undefined): string | undefined {
  const list = readSecret(found)
  if (found === undefined || list === undefined) return undefined
  if (list.split(',').includes('')) throw refusal(`${found.label} has an empty part; a comma separates two.`)
  return list
}

/** Never puts the secret itself into a message. */
function readSecret(found: Found | undefined): string | undefined {
  if (found === undefined) return undefined
  if (!/^[\x21-\x7e]{1,1024}$/.test(found.text)) {
    throw refusal(`${found.label} must be 1 to 1,024 visible ASCII characters without spaces.`)
  }
  return found.text
}

function refuseOpenToAll(
  host: string,
  token: string | undefined,
  secret: string | undefined,
  shareKey: string | undefined,
): void {
  const missing = [...(secret === undefined ? ['--secret'] : []), ...(token === undefined ? ['--token'] : [])]
  if (missing.length > 0) {
    throw refusal(
      `--host ${host} can be reached from other machines: add ${missing.join(' and ')} ` +
        '(for example the output of "openssl rand -hex 24"), or --insecure to let everybody in.',
    )
  }
  const parts = (flag: string, list = '') => list.split(',').map(part => [flag, part] as const)
  for (const [flag, value] of [
    ...parts('--secret', secret),
    ...parts('--token', token),
    ['--share-key', shareKey] as const,
  ]) {
    if (value !== undefined && value.length < SECRET_LENGTH_MIN) {
      throw refusal(
        `${flag} has ${value.length} characters; beyond loopback it needs at least ${SECRET_LENGTH_MIN} ` +
          '(for example the output of "openssl rand -hex 24").',
      )
    }
  }
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

function readExtensions(found: Found | undefined): readonly string[] | undefined {
  if (found === undefined) return undefined
  const extensions = found.text.split(',').map(text => text.trim().toLowerCase().replace(/^\./, ''))
  const wrong = extensions.find(extension => !/^[a-z0-9_+-]{1,32}$/.test(extension))
  if (wrong !== undefined) {
    throw refusal(`${found.label} has "${wrong}", and an extension is letters and digits such as txt or jpg.`)
  }
  return [...new Set(extensions)]
}

/** A setting that is one of some words. */
function readChoice<Word extends string>(name: SettingName, find: Find, words: readonly Word[]): Word {
  const found = find(name)
  const text = found?.text ?? SETTINGS[name].default
  const word = words.find(one => one === text)
  if (word === undefined) throw refusal(`${found?.label} is "${text}", and can be ${words.join(', ')}.`)
  return word
}

function readBoolean(found: Found | undefined): boolean {
  if (found === undefined) return false
  const value = parseBoolean(found.text)
  if (value === undefined) throw refusal(`${found.label} is "${found.text}", and can be true or false.`)
  return value
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
      throw refusal(
        `${found.label} is "${found.text}", and can be ${setting.bounds}${unitHint(found.text, unit)}.`,
      )
    }
    limits[setting.limit] = value
  }
  return limits
}

function refusal(message: string, cause?: unknown): StoreError {
  return new StoreError('INVALID_REQUEST', message, cause === undefined ? {} : { cause })
}

/** A bare number is a frequent slip where a unit is needed. */
function unitHint(text: string, unit: Unit): string {
  const example = unit === 'ms' ? '10s' : unit === 'bytes' ? '4GiB' : undefined
  if (example === undefined) return ''
  return /^\s*[\d.]+\s*$/.test(text) ? `: add a unit, as in ${example}` : `, as in ${example}`
}
