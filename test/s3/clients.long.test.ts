/**
 * The programs that people have, against three nodes: each works, and works on while a node is killed. Those that this machine
 * does not have are skipped; .ci/run installs them.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { Cluster } from '../e2e/cluster.ts'
import { type NodeProcess, repositoryRoot, startNode, waitFor } from '../e2e/harness.ts'

const run = promisify(execFile)

const KEY = 'client-key'
const SECRET = 'client-secret-0123456789'

/** One script may take so long, ms: the machines that run tests are shared. */
const SCRIPT_TIMEOUT_MS = 150_000

const works = (program: string, ...args: string[]) => spawnSync(program, args).status === 0

/** Why a test is skipped; false when it is not. */
const without = (program: string, ask: string) =>
  works(program, ask) ? false : `${program} is not installed`

/** Folders can be mounted by a program. */
const canMount = existsSync('/dev/fuse') && works('fusermount3', '--version')

/** A Python that has boto3: that of the system, or the one beside aws, where .ci/run installs it. */
const beside = spawnSync('sh', ['-c', 'dirname "$(command -v aws)"']).stdout?.toString().trim()
const python = ['python3', `${beside}/python3`].find(program => works(program, '-c', 'import boto3'))

interface Place {
  readonly folder: string
  /** The endpoint of a node that runs. */
  endpoint: string
  /** The certificate that clients trust; without it the endpoint speaks plain HTTP. */
  readonly certificate?: string
}

/** Runs a script of the shell in a folder of its own, with the keys in its environment. */
async function shell(t: Test, place: Place, script: string): Promise<string> {
  const folder = await mkdtemp(join(place.folder, 'run-'))
  const { host } = new URL(place.endpoint)
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    ENDPOINT: place.endpoint,
    AWS_ENDPOINT_URL: place.endpoint,
    AWS_ACCESS_KEY_ID: KEY,
    AWS_SECRET_ACCESS_KEY: SECRET,
    AWS_DEFAULT_REGION: 'us-east-1',
    RESTIC_PASSWORD: 'password',
    PYTHON: python,
    REPOSITORY: repositoryRoot,
    ...(place.certificate !== undefined && {
      AWS_CA_BUNDLE: place.certificate,
      SSL_CERT_FILE: place.certificate,
      RESTIC_CACERT: place.certificate,
      RCLONE_CA_CERT: place.certificate,
      NODE_EXTRA_CA_CERTS: place.certificate,
    }),
    RCLONE_CONFIG_NET_TYPE: 's3',
    RCLONE_CONFIG_NET_PROVIDER: 'Other',
    RCLONE_CONFIG_NET_ENDPOINT: place.endpoint,
    RCLONE_CONFIG_NET_ACCESS_KEY_ID: KEY,
    RCLONE_CONFIG_NET_SECRET_ACCESS_KEY: SECRET,
    S3CMD: `s3cmd ${place.certificate === undefined ? '--no-ssl' : `--ssl --ca-certs=${place.certificate}`} --host=${host} --host-bucket=${host} --access_key=${KEY} --secret_key=${SECRET} --region=us-east-1`,
  }
  await writeFile(join(folder, 'script.sh'), `set -euo pipefail\n${script}`)
  try {
    const { stdout, stderr } = await run('bash', ['script.sh'], {
      cwd: folder,
      env,
      timeout: SCRIPT_TIMEOUT_MS,
    })
    t.pass('the script ended well')
    return stdout + stderr
  } catch (error) {
    const { stdout = '', stderr = '', message } = error as Error & { stdout?: string; stderr?: string }
    t.fail(`the script failed: ${message.slice(0, 300)}`, {
      stdout: stdout.slice(-2000),
      stderr: stderr.slice(-3000),
    })
    return stdout
  }
}

const FILES = `
mkdir -p in/sub && head -c 20000000 /dev/urandom > in/large && echo hello > in/small && echo x > 'in/sub/b +ü%.txt'
touch -d '2020-02-03 04:05:06' in/small
`

const AWS = `${FILES}
aws s3 mb s3://$B
aws s3 cp in/large s3://$B/large --no-progress && aws s3 cp s3://$B/large out --no-progress && cmp in/large out
aws s3 sync in s3://$B/tree --no-progress && aws s3 sync s3://$B/tree back --no-progress && diff -r in back
aws s3 mv s3://$B/tree/small s3://$B/moved --no-progress && aws s3 ls s3://$B/ | grep moved
aws s3api put-object --bucket $B --key once --body in/small --if-none-match '*' > first.json
if aws s3api put-object --bucket $B --key once --body in/small --if-none-match '*' 2> second; then exit 1; fi
grep PreconditionFailed second
etag=$(aws s3api head-object --bucket $B --key once --query ETag --output text)
aws s3api put-object --bucket $B --key once --body in/large --if-match "$etag" > third.json
if aws s3api put-object --bucket $B --key once --body in/small --if-match "$etag" 2> fourth; then exit 1; fi
for kind in CRC32 SHA256; do
  aws s3api put-object --bucket $B --key sum --body in/large --checksum-algorithm $kind | grep Checksum$kind
done
aws configure set default.s3.signature_version s3v4
curl -sf "$(aws s3 presign s3://$B/moved)" | cmp - in/small
aws s3 rm s3://$B --recursive --quiet && aws s3 rb s3://$B
`

const RCLONE = `${FILES}
rclone mkdir net:$B
rclone copy in net:$B/tree --s3-chunk-size 5M --s3-upload-cutoff 5M
rclone check in net:$B/tree --download 2>&1 | grep '0 differences found'
test "$(rclone lsf --format t net:$B/tree/small)" = "$(date -d '2020-02-03 04:05:06' '+%F %T')"
rclone moveto net:$B/tree/small net:$B/other/small && rclone cat net:$B/other/small | cmp - in/small
touch -d '2021-01-01' in/large && rclone copy in net:$B/tree
test "$(rclone lsf --format t net:$B/tree/large)" = '2021-01-01 00:00:00'
test "$(rclone lsf -R net:$B | wc -l)" = 7
rclone purge net:$B
`

const RESTIC = `${FILES}
export RESTIC_REPOSITORY=s3:$ENDPOINT/$B/repo
restic init -q && restic backup -q in
echo more >> in/small && restic backup -q in
restic check --read-data | grep 'no errors were found'
restic forget -q --keep-last 1 --prune && restic check | grep 'no errors were found'
restic restore -q latest --target back && diff -r in back/in
`

const S3CMD = `${FILES}
$S3CMD mb s3://$B
$S3CMD put -q in/large s3://$B/large --multipart-chunk-size-mb=5 && $S3CMD get -q s3://$B/large out && cmp in/large out
$S3CMD sync -q in/ s3://$B/tree/ && $S3CMD sync -q s3://$B/tree/ back/ && diff -r in back
$S3CMD ls s3://$B/tree/ | grep small
$S3CMD del -q -r --force s3://$B/ && $S3CMD rb s3://$B
`

const BOTO3 = `$PYTHON - <<'PYTHON'
import io, os, boto3
from botocore.client import Config
from botocore.exceptions import ClientError
bucket = os.environ['B']
s3 = boto3.client('s3', config=Config(signature_version='s3v4'))
s3.create_bucket(Bucket=bucket)
data = os.urandom(20_000_000)
s3.upload_fileobj(io.BytesIO(data), bucket, 'large', ExtraArgs={'Metadata': {'a': '1'}})
out = io.BytesIO()
s3.download_fileobj(bucket, 'large', out)
assert out.getvalue() == data
assert s3.head_object(Bucket=bucket, Key='large')['Metadata'] == {'a': '1'}
s3.copy({'Bucket': bucket, 'Key': 'large'}, bucket, 'copy')
assert s3.get_object(Bucket=bucket, Key='copy')['Body'].read() == data
etag = s3.put_object(Bucket=bucket, Key='counter', Body=b'0')['ETag']
s3.put_object(Bucket=bucket, Key='counter', Body=b'1', IfMatch=etag)
try:
    s3.put_object(Bucket=bucket, Key='counter', Body=b'2', IfMatch=etag)
    raise SystemExit('an old ETag was taken')
except ClientError as error:
    assert error.response['Error']['Code'] == 'PreconditionFailed', error
import urllib.request
url = s3.generate_presigned_url('get_object', {'Bucket': bucket, 'Key': 'counter'}, ExpiresIn=60)
assert urllib.request.urlopen(url).read() == b'1'
import subprocess
form = s3.generate_presigned_post(bucket, 'posted/\${filename}', Fields={'success_action_status': '201'},
    Conditions=[{'success_action_status': '201'}, ['content-length-range', 1, 10]], ExpiresIn=60)
def posted(content):
    fields = [part for name, value in form['fields'].items() for part in ('-F', f'{name}={value}')]
    return subprocess.run(['curl', '-s', *fields, '-F', 'file=@-;filename=a.txt', form['url']], input=content, capture_output=True).stdout
assert b'<Key>posted/a.txt</Key>' in posted(b'by a form')
assert b'EntityTooLarge' in posted(b'more than ten')
assert s3.get_object(Bucket=bucket, Key='posted/a.txt')['Body'].read() == b'by a form'
keys = [{'Key': o['Key']} for p in s3.get_paginator('list_objects_v2').paginate(Bucket=bucket) for o in p['Contents']]
assert len(keys) == 4, keys
s3.delete_objects(Bucket=bucket, Delete={'Objects': keys})
s3.delete_bucket(Bucket=bucket)
PYTHON
`

/** Over TLS the SDKs send bodies that they cannot read twice in chunks, with the checksum in a trailer. */
const TRAILER = `$PYTHON - <<'PYTHON'
import hashlib, io, os, boto3
from botocore.client import Config
from botocore.exceptions import ClientError
bucket = os.environ['B']
s3 = boto3.client('s3', config=Config(signature_version='s3v4', retries={'total_max_attempts': 1}))
s3.create_bucket(Bucket=bucket)
data = os.urandom(3_000_000)
sent = {}
spoil = False
def look(request, **_):
    sent.update({name.lower(): request.headers[name] for name in request.headers})
    if spoil:
        whole = request.body.read()
        at = whole.rindex(b'x-amz-checksum-crc32:') + len(b'x-amz-checksum-crc32:')
        request.body = io.BytesIO(whole[:at] + b'AAAAAA==' + whole[at + 8:])
s3.meta.events.register('before-send.s3.PutObject', look)
s3.put_object(Bucket=bucket, Key='trailer', Body=data)
assert sent['x-amz-trailer'] in (b'x-amz-checksum-crc32', 'x-amz-checksum-crc32'), sent
assert s3.get_object(Bucket=bucket, Key='trailer')['Body'].read() == data
spoil = True
try:
    s3.put_object(Bucket=bucket, Key='spoiled', Body=data)
    raise SystemExit('a spoiled trailer was taken')
except ClientError as error:
    assert error.response['Error']['Code'] == 'BadDigest', error
assert [o['Key'] for o in s3.list_objects_v2(Bucket=bucket)['Contents']] == ['trailer']
PYTHON
`

/** A state lock as Terraform takes it: an object that only one of several can create, and that its holder removes. */
const LOCK = `
aws s3 mb s3://$B
taker() {
  for round in 1 2; do
    until aws s3api put-object --bucket $B --key state.tflock --body $1 --if-none-match '*' > /dev/null 2> $1.refused; do
      grep -q PreconditionFailed $1.refused || { cat $1.refused; exit 1; }
    done
    aws s3 cp s3://$B/state count --no-progress --quiet || echo 0 > count
    test "$(aws s3 cp s3://$B/state.tflock - --no-progress)" = $1
    echo $(($(cat count) + 1)) > count
    aws s3 cp count s3://$B/state --no-progress --quiet
    aws s3api delete-object --bucket $B --key state.tflock
  done
}
echo one > one; echo two > two; mkdir a b
(cp one a; cd a; taker one) & first=$!
(cp two b; cd b; taker two) & second=$!
wait $first; wait $second
test "$(aws s3 cp s3://$B/state - --no-progress)" = 4
aws s3 rm s3://$B --recursive --quiet && aws s3 rb s3://$B
`

/** A folder through FUSE. */
const S3FS = `${FILES}
mkdir mounted; echo $AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY > passwd; chmod 600 passwd
aws s3 mb s3://$B
s3fs $B mounted -o url=$ENDPOINT -o use_path_request_style -o passwd_file=passwd -o multipart_size=10
trap 'fusermount3 -u mounted || umount -l mounted' EXIT
cp -r in mounted/tree && diff -r in mounted/tree
echo again >> mounted/tree/small && aws s3 cp s3://$B/tree/small - --no-progress | tail -1 | grep again
mv mounted/tree/small mounted/moved && ls mounted | grep moved
rm -r mounted/tree && test "$(ls mounted)" = moved && rm mounted/moved
`

/** The SDK for JavaScript: a stream of unknown length in parts, a presigned URL, a create that only one can do. */
const SDK = `node --input-type=commonjs - <<'NODE'
const assert = require('node:assert')
const { Readable } = require('node:stream')
const load = require('node:module').createRequire(process.env.REPOSITORY)
const s3 = load('@aws-sdk/client-s3')
const { Upload } = load('@aws-sdk/lib-storage')
const { getSignedUrl } = load('@aws-sdk/s3-request-presigner')
const Bucket = process.env.B
const client = new s3.S3Client({ endpoint: process.env.ENDPOINT, region: 'us-east-1', forcePathStyle: true })
const bytesOf = async Key => (await client.send(new s3.GetObjectCommand({ Bucket, Key }))).Body.transformToByteArray()
async function main() {
  await client.send(new s3.CreateBucketCommand({ Bucket }))
  const data = require('node:crypto').randomBytes(20_000_000)
  const pieces = Array.from({ length: 200 }, (_, i) => data.subarray(i * 100_000, (i + 1) * 100_000))
  await new Upload({ client, params: { Bucket, Key: 'large', Body: Readable.from(pieces) } }).done()
  assert.ok(data.equals(await bytesOf('large')))
  const url = await getSignedUrl(client, new s3.PutObjectCommand({ Bucket, Key: 'small' }), { expiresIn: 60 })
  assert.equal((await fetch(url, { method: 'PUT', body: 'by a URL' })).status, 200)
  const create = () => client.send(new s3.PutObjectCommand({ Bucket, Key: 'small', Body: 'x', IfNoneMatch: '*' }))
  await assert.rejects(create, { name: 'PreconditionFailed' })
  assert.equal(Buffer.from(await bytesOf('small')).toString(), 'by a URL')
  const { Contents } = await client.send(new s3.ListObjectsV2Command({ Bucket }))
  assert.deepEqual(Contents.map(({ Key }) => Key), ['large', 'small'])
  await client.send(new s3.DeleteObjectsCommand({ Bucket, Delete: { Objects: Contents.map(({ Key }) => ({ Key })) } }))
  await client.send(new s3.DeleteBucketCommand({ Bucket }))
}
main().catch(error => { console.error(error); process.exit(1) })
NODE
`

/** Each client with its script, which uses a bucket $B of its own. */
const CLIENTS: readonly (readonly [name: string, missing: string | false, script: string])[] = [
  ['aws', without('aws', '--version'), AWS],
  ['sdk', false, SDK],
  ['boto3', python ? false : 'boto3 is not installed', BOTO3],
  ['rclone', without('rclone', 'version'), RCLONE],
  ['restic', without('restic', 'version'), RESTIC],
  ['s3cmd', without('s3cmd', '--version'), S3CMD],
  ['lock', without('aws', '--version'), LOCK],
  ['s3fs', works('aws', '--version') && canMount ? without('s3fs', '--version') : 'no FUSE or no aws', S3FS],
]

t.test('the programs that people have', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'altered-chord-s3-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const cluster = await Cluster.start({ nodes: 3, flags: ['--s3-key', `${KEY}:${SECRET}`] })
  t.teardown(() => cluster.close())
  const endpointOf = (index: number) => `http://127.0.0.1:${cluster.node(index).port + 1000}`
  const place: Place = { folder, endpoint: endpointOf(0) }

  for (const [name, skip, script] of CLIENTS)
    await t.test(name, { skip }, async t => {
      await shell(t, place, `B=one-${name}; export B\n${script}`)
    })

  await t.test('once more, and a node is killed in the middle', async t => {
    const present = CLIENTS.filter(([, missing]) => missing === false)
    if (present.length === 0) return t.comment('no client is installed')
    let killed = false
    const killing = (async () => {
      // In the middle: a client has begun to write.
      const list = async () =>
        (await (await fetch(`http://${cluster.node(0).address}/list?limit=1`)).text()).includes('"path"')
      while (!(await list())) await new Promise(resolve => setTimeout(resolve, 50))
      await cluster.kill(2)
      killed = true
    })()
    for (const [name, , script] of present) await shell(t, place, `B=two-${name}; export B\n${script}`)
    await killing
    t.ok(killed)
  })
})

t.test('over TLS', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'altered-chord-s3-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  if (!works('openssl', 'version')) return t.comment('openssl is not installed')
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  execFileSync('openssl', [...request, ...subject, '-days', '2', '-keyout', key, '-out', certificate], {
    stdio: 'ignore',
  })
  const flags = ['--tls-cert', certificate, '--tls-key', key, '--s3-key', `${KEY}:${SECRET}`]
  const environment = { NODE_EXTRA_CA_CERTS: certificate }
  const authority = await readFile(certificate, 'utf8')
  const nodes: NodeProcess[] = []
  for (let index = 0; index < 3; index++) {
    const boots = nodes.map(({ port }) => port)
    const node = await startNode({ flags, environment, authority, ...(boots.length > 0 && { boots }) })
    t.teardown(() => node.kill())
    nodes.push(node)
  }
  const [first, , third] = nodes as [NodeProcess, NodeProcess, NodeProcess]
  const place: Place = { folder, endpoint: `https://127.0.0.1:${first.port + 1000}`, certificate }
  const scripts = {
    aws: AWS.replace('curl -sf', 'curl -sf --cacert "$AWS_CA_BUNDLE"'),
    boto3: BOTO3.replace("'curl', '-s'", "'curl', '-s', '--cacert', os.environ['AWS_CA_BUNDLE']"),
    sdk: SDK,
    trailer: TRAILER,
    // Debian's rclone refuses every command of S3 while that is set.
    rclone: `unset AWS_CA_BUNDLE\n${RCLONE}`,
    restic: RESTIC,
    s3cmd: S3CMD,
  }
  for (const [name, script] of Object.entries(scripts)) {
    const missing = CLIENTS.find(([client]) => client === (name === 'trailer' ? 'boto3' : name))?.[1]
    await t.test(name, { skip: missing ?? false }, async t => {
      await shell(t, place, `B=tls-${name}; export B\n${script}`)
    })
  }
  await t.test('once more, and a node is killed in the middle', async t => {
    const begun = join(folder, 'begun')
    const writing = shell(t, place, `B=tls-killed; export B\n${SDK}touch ${begun}\n${SDK}${SDK}`)
    await waitFor(() => existsSync(begun), {
      what: 'the second round has begun',
      timeoutMs: SCRIPT_TIMEOUT_MS,
    })
    await third.kill()
    await writing
  })
})
