/**
 * The table of settings, from which the flags, the environment, `--help` and docs/configuration.md come.
 * read-config.ts turns what a user gave into a NodeConfig.
 */
import {
  CONFLICTS,
  CONSISTENCIES,
  JOIN_TIMEOUT,
  LEARNING_MODES,
  LIMITS,
  type Limits,
  LOG_LEVELS,
  NETWORK_BOUNDS,
  ROUTINGS,
  TRASH,
  TRASH_SHARE,
} from './config.ts'
import { formatQuantity } from './quantity.ts'

/** One setting. `flag` is written as commander wants it; `bounds` and `default` are for people. */
export interface Setting {
  readonly flag: string
  readonly variable: string
  readonly default: string
  readonly bounds: string
  readonly meaning: string
  /** Heading in `--help` and docs/configuration.md. */
  readonly group: 'Network' | 'Storage' | 'Security' | 'S3' | 'Limits' | 'Log'
  /** A secret can also come from a file named by `<variable>_FILE`, which is how containers hand secrets in. */
  readonly secret?: true
  /** The flag can be given more than once; the variable separates with commas. */
  readonly repeatable?: true
  readonly limit?: keyof Limits
}

/** Characters of a token or secret beyond loopback: 16 hexadecimal digits are 64 bits, out of reach of guessing. */
export const SECRET_LENGTH_MIN = 16

export const SETTINGS = {
  port: {
    flag: '-p, --port <port>',
    variable: 'ALTERED_CHORD_PORT',
    default: '5000',
    bounds: '0 to 65535; 0 takes a free one',
    meaning: 'port to listen on; PORT is understood too',
    group: 'Network',
  },
  boot: {
    flag: '-b, --boot <node>',
    variable: 'ALTERED_CHORD_BOOT',
    default: '5000',
    bounds: 'a port, HOST:PORT or a URL',
    meaning: 'a node of the network to join; this node itself, as with -p 5000, founds a new network',
    group: 'Network',
    repeatable: true,
  },
  host: {
    flag: '--host <host>',
    variable: 'ALTERED_CHORD_HOST',
    default: '127.0.0.1',
    bounds: 'a name or address of this machine',
    meaning: 'where to listen; anything but loopback needs --secret and --token',
    group: 'Network',
  },
  advertise: {
    flag: '--advertise <address>',
    variable: 'ALTERED_CHORD_ADVERTISE',
    default: 'host:port',
    bounds: 'HOST:PORT or a URL',
    meaning:
      'where the other nodes reach this one; receipts and Ring-Chain name it so; SELF_URL is understood too',
    group: 'Network',
  },
  replicas: {
    flag: '-k, --replicas <count>',
    variable: 'ALTERED_CHORD_REPLICAS',
    default: '3',
    bounds: boundsOf('replicas'),
    meaning:
      'copies of each file; belongs to the network, whose first node fixes it; `altered-chord set replicas` changes it',
    group: 'Network',
  },
  minReplicas: {
    flag: '--min-replicas <count>',
    variable: 'ALTERED_CHORD_MIN_REPLICAS',
    default: '2',
    bounds: `${boundsOf('minReplicas')}, not more than --replicas`,
    meaning:
      'copies without which a write is refused, as long as there are that many nodes; belongs to the network',
    group: 'Network',
  },
  virtualNodes: {
    flag: '--virtual-nodes <count>',
    variable: 'ALTERED_CHORD_VIRTUAL_NODES',
    default: '8',
    bounds: boundsOf('virtualNodes'),
    meaning: 'places of each node on the ring, more of them share it out more evenly; belongs to the network',
    group: 'Network',
  },
  consistency: {
    flag: '--consistency <model>',
    variable: 'ALTERED_CHORD_CONSISTENCY',
    default: 'chain',
    bounds: CONSISTENCIES.join(' or '),
    meaning:
      'chain: everybody sees one order of writes; eventual: any node takes a write, also while others are cut off, and versions may stand beside each other; belongs to the network, whose first node fixes it',
    group: 'Network',
  },
  conflicts: {
    flag: '--conflicts <rule>',
    variable: 'ALTERED_CHORD_CONFLICTS',
    default: 'keep',
    bounds: CONFLICTS.join(' or '),
    meaning:
      'with --consistency eventual: show what was written without knowing of each other until somebody settles it, or only the newest of it; belongs to the network',
    group: 'Network',
  },
  zone: {
    flag: '--zone <name>',
    variable: 'ALTERED_CHORD_ZONE',
    default: 'none',
    bounds: '1 to 64 visible ASCII characters',
    meaning: 'what fails together with this node, a rack or a site; copies of a file go to different zones',
    group: 'Network',
  },
  learn: {
    flag: '--learn <mode>',
    variable: 'ALTERED_CHORD_LEARN',
    default: 'path',
    bounds: LEARNING_MODES.join(' or '),
    meaning:
      'what lookups teach: chain, the entry node learns whom they visited; path, every node on the way does too',
    group: 'Network',
  },
  routing: {
    flag: '--routing <way>',
    variable: 'ALTERED_CHORD_ROUTING',
    default: 'path',
    bounds: ROUTINGS.join(' or '),
    meaning:
      'how a node finds others: path, it comes to know the whole network; kelips, a part of about the square root of it, which it learns by gossip (so that is switched on)',
    group: 'Network',
  },
  gossip: {
    flag: '--gossip [file]',
    variable: 'ALTERED_CHORD_GOSSIP',
    default: 'false',
    bounds: 'true, false, or a file such as gossip.yaml',
    meaning:
      'tell other nodes at intervals who is there, so that a crash is found though nobody asks for anything; the file says how often',
    group: 'Network',
  },
  joinTimeout: {
    flag: '--join-timeout <time>',
    variable: 'ALTERED_CHORD_JOIN_TIMEOUT',
    default: formatQuantity(JOIN_TIMEOUT.default, 'ms'),
    bounds: `${formatQuantity(JOIN_TIMEOUT.min, 'ms')} to ${formatQuantity(JOIN_TIMEOUT.max, 'ms')}`,
    meaning: 'how long the boot nodes are tried; then the exit code is 1',
    group: 'Network',
  },
  data: {
    flag: '--data <folder>',
    variable: 'ALTERED_CHORD_DATA',
    default: './data/<port>',
    bounds: 'a folder that this node alone writes to',
    meaning: 'where files are kept',
    group: 'Storage',
  },
  memory: {
    flag: '--memory',
    variable: 'ALTERED_CHORD_MEMORY',
    default: 'false',
    bounds: 'true or false',
    meaning: 'keep files in memory only; they are gone when the node stops',
    group: 'Storage',
  },
  trash: {
    flag: '--trash <time>',
    variable: 'ALTERED_CHORD_TRASH',
    default: formatQuantity(TRASH.default, 'ms'),
    bounds: `${formatQuantity(TRASH.min, 'ms')} to ${formatQuantity(TRASH.max, 'ms')}, or 0 for no trash; the same on every node`,
    meaning: 'how long what was removed or replaced can be restored',
    group: 'Storage',
  },
  trashShare: {
    flag: '--trash-share <percent>',
    variable: 'ALTERED_CHORD_TRASH_SHARE',
    default: `${TRASH_SHARE.default}%`,
    bounds: `${TRASH_SHARE.min}% to ${TRASH_SHARE.max}%`,
    meaning: "the part of this node's disk that the trash may take; of more the oldest goes",
    group: 'Storage',
  },
  allowExtensions: {
    flag: '--allow-extensions <list>',
    variable: 'ALTERED_CHORD_ALLOW_EXTENSIONS',
    default: 'every name',
    bounds: 'letters and digits, separated by commas',
    meaning: 'accept only files whose names end so, for example txt,pdf,jpg',
    group: 'Storage',
  },
  token: {
    flag: '--token <token>',
    variable: 'ALTERED_CHORD_TOKEN',
    default: 'none',
    bounds: `visible ASCII; at least ${SECRET_LENGTH_MIN} characters off loopback`,
    meaning:
      'what clients must show to read and write; several are separated by commas, while one takes the place of another',
    group: 'Security',
    secret: true,
  },
  readToken: {
    flag: '--read-token <token>',
    variable: 'ALTERED_CHORD_READ_TOKEN',
    default: 'none',
    bounds: 'as --token, which it needs beside it',
    meaning: 'what clients can show instead to read only',
    group: 'Security',
    secret: true,
  },
  secret: {
    flag: '--secret <secret>',
    variable: 'ALTERED_CHORD_SECRET',
    default: 'none',
    bounds: `visible ASCII; at least ${SECRET_LENGTH_MIN} characters off loopback`,
    meaning:
      'what the nodes of one network share; it signs what they ask each other; several are separated by commas: the first signs, and all count, while one takes the place of another',
    group: 'Security',
    secret: true,
  },
  shareKey: {
    flag: '--share-key <key>',
    variable: 'ALTERED_CHORD_SHARE_KEY',
    default: 'made from --secret, else from --token',
    bounds: `visible ASCII; at least ${SECRET_LENGTH_MIN} characters off loopback; the same on every node`,
    meaning: 'what signs share links; changing it on every node revokes all of them',
    group: 'Security',
    secret: true,
  },
  tlsCert: {
    flag: '--tls-cert <file>',
    variable: 'ALTERED_CHORD_TLS_CERT',
    default: 'none',
    bounds: 'a readable PEM file, with --tls-key',
    meaning: 'serve HTTPS with this certificate chain',
    group: 'Security',
  },
  tlsKey: {
    flag: '--tls-key <file>',
    variable: 'ALTERED_CHORD_TLS_KEY',
    default: 'none',
    bounds: 'a readable PEM file, with --tls-cert',
    meaning: 'the private key of --tls-cert',
    group: 'Security',
  },
  insecure: {
    flag: '--insecure',
    variable: 'ALTERED_CHORD_INSECURE',
    default: 'false',
    bounds: 'true or false',
    meaning:
      'listen beyond loopback without --secret and --token: whoever reaches the port may do everything',
    group: 'Security',
  },
  s3Key: {
    flag: '--s3-key <key>',
    variable: 'ALTERED_CHORD_S3_KEY',
    default: 'none',
    bounds: `ID:SECRET or ID:SECRET:ro; a secret of at least ${SECRET_LENGTH_MIN} characters off loopback`,
    meaning: 'a key of the S3 endpoint, which is off without one; with :ro it may read only',
    group: 'S3',
    secret: true,
    repeatable: true,
  },
  s3Port: {
    flag: '--s3-port <port>',
    variable: 'ALTERED_CHORD_S3_PORT',
    default: '--port plus 1000',
    bounds: '0 to 65535; 0 takes a free one',
    meaning: 'port of the S3 endpoint, at --host; --tls-cert and --tls-key hold for it too',
    group: 'S3',
  },
  s3Domain: {
    flag: '--s3-domain <name>',
    variable: 'ALTERED_CHORD_S3_DOMAIN',
    default: 'none',
    bounds: 'a name, such as s3.example.com',
    meaning: 'buckets are also at BUCKET.NAME; without it they are in the path only',
    group: 'S3',
    repeatable: true,
  },
  s3CorsOrigin: {
    flag: '--s3-cors-origin <origin>',
    variable: 'ALTERED_CHORD_S3_CORS_ORIGIN',
    default: 'none',
    bounds: '* or an origin, such as https://example.com',
    meaning: 'a site whose pages may use the S3 endpoint, with requests that are signed',
    group: 'S3',
    repeatable: true,
  },
  maxFileSize: limitSetting('max-file-size', 'size', 'fileBytesMax', 'the largest body that is accepted'),
  maxHeaderSize: limitSetting('max-header-size', 'size', 'headerBytesMax', 'the largest header of a request'),
  headerTimeout: limitSetting(
    'header-timeout',
    'time',
    'headerTimeoutMs',
    'how long a request may take to send its header, and a client to agree on TLS',
  ),
  bodyIdleTimeout: limitSetting(
    'body-idle-timeout',
    'time',
    'bodyIdleTimeoutMs',
    'how long a body may stand still',
  ),
  maxUploads: limitSetting(
    'max-uploads',
    'count',
    'uploadsMax',
    'bodies that gather in memory at once (forms); more wait',
  ),
  uploadQueue: limitSetting(
    'upload-queue',
    'count',
    'uploadQueueMax',
    'further bodies received at once; one more gets 429 and when to come back',
  ),
  maxConnections: limitSetting('max-connections', 'count', 'connectionsMax', 'open connections'),
  shutdownTimeout: limitSetting(
    'shutdown-timeout',
    'time',
    'shutdownTimeoutMs',
    'how long running requests may take to finish when the node stops',
  ),
  logLevel: {
    flag: '--log-level <level>',
    variable: 'ALTERED_CHORD_LOG_LEVEL',
    default: 'info',
    bounds: LOG_LEVELS.join(', '),
    meaning: 'how much is logged',
    group: 'Log',
  },
} as const satisfies Record<string, Setting>

/** Settings that mean nothing in a network with that consistency. */
export const MEANINGLESS = {
  chain: ['conflicts'],
  eventual: ['minReplicas', 'trash', 'trashShare'],
} as const satisfies Record<(typeof CONSISTENCIES)[number], readonly (keyof typeof SETTINGS)[]>

export type SettingName = keyof typeof SETTINGS

/** The flag of a setting as a user writes it: `--max-file-size`. */
export function longFlag(setting: Setting): string {
  return /--[a-z0-9-]+/.exec(setting.flag)?.[0] as string
}

/** What is said with yes or no, in the words of people; undefined for anything else. */
export function parseBoolean(text: string): boolean | undefined {
  if (['true', '1', 'yes'].includes(text.toLowerCase())) return true
  if (['false', '0', 'no'].includes(text.toLowerCase())) return false
  return undefined
}

function boundsOf(name: keyof typeof NETWORK_BOUNDS): string {
  const { min, max } = NETWORK_BOUNDS[name]
  return `${min} to ${max}`
}

function limitSetting<L extends keyof Limits>(
  flag: string,
  value: 'size' | 'time' | 'count',
  limit: L,
  meaning: string,
) {
  const { unit, default: standard, min, max } = LIMITS[limit]
  return {
    flag: `--${flag} <${value}>`,
    variable: `ALTERED_CHORD_${flag.toUpperCase().replaceAll('-', '_')}`,
    default: formatQuantity(standard, unit),
    bounds: `${formatQuantity(min, unit)} to ${formatQuantity(max, unit)}`,
    meaning,
    group: 'Limits',
    limit,
  } as const satisfies Setting
}
