import { join, resolve } from 'node:path'
import t from 'tap'
import { DEFAULT_LIMITS } from '../src/config.ts'
import { GOSSIP_DEFAULTS } from '../src/membership/gossip/settings.ts'
import { type Environment, type Flags, readNodeConfig } from '../src/read-config.ts'

const long = 'a-secret-of-24-characters'

t.test('nothing given: loopback, port 5000, ./data/5000, no token, the default limits', async t => {
  t.same(readNodeConfig({}, {}), {
    host: '127.0.0.1',
    port: 5000,
    advertise: undefined,
    boots: [],
    namesBoots: false,
    foundsWhenNoneHas: false,
    wish: {},
    zone: undefined,
    joinTimeoutMs: 60_000,
    learn: 'path',
    routing: 'path',
    gossip: undefined,
    dataDirectory: resolve('data/5000'),
    trash: { keptMs: 7 * 86_400_000, share: 0.2 },
    tokens: {},
    secret: undefined,
    tls: undefined,
    allowedExtensions: undefined,
    logLevel: 'info',
    limits: DEFAULT_LIMITS,
  })
})

t.test('a flag beats the environment, the environment beats the default', async t => {
  t.equal(readNodeConfig({ boot: '7' }, { ALTERED_CHORD_PORT: '7' }).port, 7)
  t.equal(readNodeConfig({ port: '8', boot: '8' }, { ALTERED_CHORD_PORT: '7' }).port, 8)
  t.equal(readNodeConfig({}, { PORT: '9' }).port, 9, 'the port of a platform needs no boot')
  t.equal(readNodeConfig({ boot: '7' }, { ALTERED_CHORD_PORT: '7', PORT: '9' }).port, 7)
  t.equal(
    readNodeConfig({}, { ALTERED_CHORD_PORT: '', ALTERED_CHORD_BOOT: '' }).port,
    5000,
    'empty is absent',
  )
  t.equal(readNodeConfig({ logLevel: 'warn' }, { ALTERED_CHORD_LOG_LEVEL: 'debug' }).logLevel, 'warn')
})

t.test('what is given is what is configured', async t => {
  const rows: [Flags, Environment, object][] = [
    [{ port: '5001', boot: ['5001'] }, {}, { port: 5001, dataDirectory: resolve('data/5001') }],
    [{ boot: '127.0.0.1:5000' }, {}, { port: 5000, boots: [] }],
    [{ boot: ['http://localhost:5000/', '5000'] }, {}, { port: 5000, boots: [] }],
    [{ port: '5001' }, {}, { boots: ['127.0.0.1:5000'] }],
    [
      { boot: ['5000', '10.0.0.7:5000', 'https://files.example'] },
      {},
      { boots: ['10.0.0.7:5000', 'files.example:443'] },
    ],
    [{}, { PORT: '5001' }, { boots: [] }],
    [{ replicas: '5', virtualNodes: '1' }, {}, { wish: { replicas: 5, virtualNodes: 1 } }],
    [{}, { ALTERED_CHORD_MIN_REPLICAS: '1' }, { wish: { minReplicas: 1 } }],
    [
      { consistency: 'eventual', conflicts: 'newest', trash: '0' },
      {},
      { wish: { consistency: 'eventual', conflicts: 'newest' } },
    ],
    [
      { zone: 'rack-1', learn: 'chain', joinTimeout: '2s', trash: '1d', trashShare: '5%' },
      {},
      { zone: 'rack-1', learn: 'chain', joinTimeoutMs: 2000, trash: { keptMs: 86_400_000, share: 0.05 } },
    ],
    [{ gossip: true }, {}, { gossip: GOSSIP_DEFAULTS }],
    [{ routing: 'kelips' }, {}, { routing: 'kelips', learn: 'path', gossip: GOSSIP_DEFAULTS }],
    [{}, { ALTERED_CHORD_ROUTING: 'kelips' }, { routing: 'kelips', gossip: GOSSIP_DEFAULTS }],
    [{}, { ALTERED_CHORD_GOSSIP: 'false' }, { gossip: undefined }],
    [{ boot: '[::1]:5000', host: '::1' }, {}, { host: '::1' }],
    [{ advertise: 'files.example:80', boot: 'files.example:80' }, {}, { advertise: 'files.example:80' }],
    [{ advertise: 'https://files.example' }, {}, { advertise: 'files.example:443' }],
    [{ data: '/srv/files' }, {}, { dataDirectory: '/srv/files' }],
    [{ memory: true }, {}, { dataDirectory: undefined }],
    [{ memory: true }, { ALTERED_CHORD_DATA: '/srv' }, { dataDirectory: undefined }],
    [{ data: '/srv' }, { ALTERED_CHORD_MEMORY: 'yes' }, { dataDirectory: '/srv' }],
    [{}, { ALTERED_CHORD_MEMORY: '0' }, { dataDirectory: resolve('data/5000') }],
    [{ port: '0', boot: '0', memory: true }, {}, { port: 0 }],
    [{ token: 'w', readToken: 'r' }, {}, { tokens: { readWrite: 'w', readOnly: 'r' } }],
    [{ allowExtensions: 'TXT, .pdf,txt' }, {}, { allowedExtensions: ['txt', 'pdf'] }],
    [{ host: '0.0.0.0', token: long, secret: long }, {}, { host: '0.0.0.0', secret: long }],
    [{ secret: 'new,old' }, {}, { secret: 'new,old' }],
    [{ host: '0.0.0.0', insecure: true }, {}, { host: '0.0.0.0', secret: undefined }],
  ]
  for (const [flags, environment, config] of rows) {
    t.match(readNodeConfig(flags, environment), config, JSON.stringify([flags, environment]))
  }
})

t.test('of the nodes that PEERS names the smallest founds the network, unless somebody has one', async t => {
  const PEERS = 'http://a:80,b:80,http://c:80/'
  const read = (SELF_URL: string, flags: Flags = {}) => readNodeConfig(flags, { PEERS, SELF_URL })
  t.match(read('http://a:80'), { advertise: 'a:80', boots: ['b:80', 'c:80'], foundsWhenNoneHas: true })
  t.match(read('http://b:80'), { advertise: 'b:80', boots: ['a:80', 'c:80'], foundsWhenNoneHas: false })
  t.match(
    read('http://a:80', { boot: 'd:80' }),
    { boots: ['d:80'], foundsWhenNoneHas: false },
    '-b goes before',
  )
  t.match(readNodeConfig({}, { PEERS: '5000' }), { boots: [], foundsWhenNoneHas: true }, 'nobody else')
})

t.test('limits are read with their units', async t => {
  const { limits } = readNodeConfig(
    { maxFileSize: '10MB', headerTimeout: '1.5s', maxUploads: '3' },
    { ALTERED_CHORD_UPLOAD_QUEUE: '0', ALTERED_CHORD_MAX_UPLOADS: '4' },
  )
  t.same(limits, {
    ...DEFAULT_LIMITS,
    fileBytesMax: 10_000_000,
    headerTimeoutMs: 1500,
    uploadsMax: 3,
    uploadQueueMax: 0,
  })
})

t.test('every refusal says which setting is wrong and what to do', async t => {
  const rows: [Flags, Environment, RegExp][] = [
    [{ port: '65536' }, {}, /^--port is "65536", and a port is a number from 0 to 65535/],
    [{}, { ALTERED_CHORD_PORT: 'tcp://10.0.0.1:5000' }, /^ALTERED_CHORD_PORT is "tcp/],
    [{ port: '' }, {}, /^--port is ""/],
    [{ host: 'a b' }, {}, /^--host is "a b"/],
    [{ host: '127.0.0.1:80' }, {}, /without a port/],
    [{ advertise: '5000' }, {}, /--advertise is "5000"/],
    [{ advertise: 'http://a/b' }, {}, /HOST:PORT or a URL/],
    [{ replicas: '0' }, {}, /^--replicas is "0", and can be 1 to 15/],
    [{ replicas: 'three' }, {}, /^--replicas is "three"/],
    [{ replicas: '2', minReplicas: '3' }, {}, /--min-replicas is more than --replicas/],
    [{ virtualNodes: '65' }, {}, /can be 1 to 64/],
    [{ consistency: 'strong' }, {}, /--consistency is "strong", and can be chain, eventual/],
    [{ consistency: 'chain', conflicts: 'keep' }, {}, /--conflicts has no meaning with --consistency chain/],
    [
      { consistency: 'eventual', minReplicas: '1' },
      {},
      /--min-replicas has no meaning with --consistency eventual/,
    ],
    [{ consistency: 'eventual', trash: '1d' }, {}, /--trash has no meaning with --consistency eventual/],
    [
      { consistency: 'eventual', trashShare: '5%' },
      {},
      /--trash-share has no meaning with --consistency eventual/,
    ],
    [{ zone: 'two words' }, {}, /a zone is 1 to 64 visible ASCII characters/],
    [{ learn: 'nothing' }, {}, /^--learn is "nothing", and can be chain, path/],
    [{ routing: 'chord' }, {}, /^--routing is "chord", and can be path, kelips/],
    [
      { routing: 'kelips' },
      { ALTERED_CHORD_GOSSIP: 'false' },
      /^ALTERED_CHORD_GOSSIP is false, and --routing kelips needs gossip/,
    ],
    [{ routing: 'kelips', learn: 'chain' }, {}, /^--learn chain has no meaning with --routing kelips/],
    [{ gossip: '/none.yaml' }, {}, /^--gossip names \/none.yaml, which cannot be read/],
    [{ trash: '7' }, {}, /^--trash is "7", and can be 1 min to 3,660 d, or 0 for no trash/],
    [{ trashShare: '0' }, {}, /^--trash-share is "0", and can be 1% to 90%/],
    [{ joinTimeout: '1' }, {}, /^--join-timeout is "1", and can be 100 ms to 1 h/],
    [{}, { PEERS: 'a,b' }, /^PEERS is "a"/],
    [{}, { ALTERED_CHORD_BOOT: '5000,five' }, /^ALTERED_CHORD_BOOT is "five"/],
    [{ host: '0.0.0.0' }, {}, /^--host 0.0.0.0 can be.*add --secret and --token .*--insecure/],
    [{ host: '::', token: long }, {}, /add --secret \(/],
    [{ host: 'files.example', secret: long }, {}, /add --token \(/],
    [{ host: '0.0.0.0', secret: long, token: 'short' }, {}, /--token has 5 characters.*at least 16/],
    [{ host: '0.0.0.0', secret: `${long},old`, token: long }, {}, /--secret has 3 characters.*at least 16/],
    [{ secret: 'new,' }, {}, /^--secret has an empty part; a comma separates two/],
    [{ host: '0.0.0.0' }, { ALTERED_CHORD_INSECURE: 'false' }, /can be reached/],
    [{ token: 'a b' }, {}, /^--token must be.*visible ASCII/],
    [{ readToken: 'r' }, {}, /needs --token/],
    [{ token: 'x', readToken: 'x' }, {}, /are the same/],
    [{ memory: true, data: 'x' }, {}, /--memory and --data contradict/],
    [{ port: '0', boot: '0' }, {}, /--data FOLDER or --memory/],
    [{}, { ALTERED_CHORD_MEMORY: 'perhaps' }, /true or false/],
    [{ tlsCert: 'x.pem' }, {}, /belong together/],
    [{ tlsCert: '/none.pem', tlsKey: '/none.pem' }, {}, /--tls-cert names \/none.pem, which cannot be read/],
    [{ allowExtensions: 'txt,tar.gz' }, {}, /has "tar.gz"/],
    [{ allowExtensions: '' }, {}, /has ""/],
    [{ logLevel: 'verbose' }, {}, /can be debug, info/],
    [{ maxFileSize: '0' }, {}, /--max-file-size is "0", and can be 1 B to 1 PiB/],
    [
      { headerTimeout: '10' },
      {},
      /--header-timeout is "10", and can be 100 ms to 10 min: add a unit, as in 10s/,
    ],
    [{ maxUploads: '1.5' }, {}, /can be 1 to 100,000/],
    [{}, { ALTERED_CHORD_MAX_CONNECTIONS: '0' }, /^ALTERED_CHORD_MAX_CONNECTIONS is "0"/],
  ]
  for (const [flags, environment, message] of rows) {
    t.throws(
      () => readNodeConfig(flags, environment),
      { code: 'INVALID_REQUEST', message },
      JSON.stringify([flags, environment]),
    )
  }
})

t.test('the settings of gossip come from a file, and its faults are named with it', async t => {
  const folder = t.testdir({ 'gossip.yaml': 'period: 500ms\nt-fail: 20s\n', 'bad.yaml': 't-fail: soon\n' })
  t.same(readNodeConfig({ gossip: join(folder, 'gossip.yaml') }, {}).gossip, {
    ...GOSSIP_DEFAULTS,
    periodMs: 500,
    failMs: 20_000,
  })
  t.throws(() => readNodeConfig({}, { ALTERED_CHORD_GOSSIP: join(folder, 'bad.yaml') }), {
    code: 'INVALID_REQUEST',
    message: /^t-fail in .*bad\.yaml is "soon"/,
  })
})

t.test('secrets can come from files, and are never in a message', async t => {
  const folder = t.testdir({ token: 'from-a-file\n', bad: 'two words that are secret' })
  const config = readNodeConfig({}, { ALTERED_CHORD_TOKEN_FILE: join(folder, 'token') })
  t.same(config.tokens, { readWrite: 'from-a-file' })
  t.same(
    readNodeConfig({ token: 'flag' }, { ALTERED_CHORD_TOKEN_FILE: '/none' }).tokens,
    { readWrite: 'flag' },
    'a flag beats it',
  )
  t.throws(() => readNodeConfig({}, { ALTERED_CHORD_SECRET_FILE: '/none' }), {
    code: 'INVALID_REQUEST',
    message: /ALTERED_CHORD_SECRET_FILE names \/none, which cannot be read/,
  })
  try {
    readNodeConfig({}, { ALTERED_CHORD_TOKEN_FILE: join(folder, 'bad') })
    t.fail('was accepted')
  } catch (error) {
    t.notMatch(String(error), /two words/)
  }
})
