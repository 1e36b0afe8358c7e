import { createHash, createHmac } from 'node:crypto'
import { connect } from 'node:net'
import t from 'tap'
import { KEY_ID, SECRET, send } from './s3-client.ts'
import { nodeWithBucket, type S3Node, textsOf } from './s3-node.ts'

type Part = readonly [name: string, value: string | Uint8Array, fileName?: string]

/** The fields with which a form is signed, as the page of a program would be given them. */
function signed(
  conditions: readonly unknown[],
  init: { keyId?: string; secret?: string; at?: Date; expires?: Date } = {},
): Record<string, string> & { readonly policy: string } {
  const at = init.at ?? new Date()
  const stamp = at.toISOString().replace(/[-:]|\.\d{3}/g, '')
  const date = stamp.slice(0, 8)
  const credential = `${init.keyId ?? KEY_ID}/${date}/us-east-1/s3/aws4_request`
  const own = { 'x-amz-algorithm': 'AWS4-HMAC-SHA256', 'x-amz-credential': credential, 'x-amz-date': stamp }
  const expiration = (init.expires ?? new Date(at.getTime() + 60_000)).toISOString()
  const all = [...conditions, ...Object.entries(own).map(([name, value]) => ({ [name]: value }))]
  const policy = Buffer.from(JSON.stringify({ expiration, conditions: all })).toString('base64')
  const hmac = (key: string | Uint8Array, text: string) => createHmac('sha256', key).update(text).digest()
  const key = [date, 'us-east-1', 's3', 'aws4_request'].reduce<string | Uint8Array>(
    hmac,
    `AWS4${init.secret ?? SECRET}`,
  )
  return { ...own, policy, 'x-amz-signature': hmac(key, policy).toString('hex') }
}

const BOUNDARY = '----a-form'

function formOf(parts: readonly Part[]): { readonly headers: Record<string, string>; readonly body: Buffer } {
  const lines = parts.flatMap(([name, value, fileName]) => [
    Buffer.from(
      `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"${fileName === undefined ? '' : `; filename="${fileName}"`}\r\n\r\n`,
    ),
    Buffer.from(value as string),
    Buffer.from('\r\n'),
  ])
  const body = Buffer.concat([...lines, Buffer.from(`--${BOUNDARY}--\r\n`)])
  return { headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }, body }
}

const post = (node: S3Node, parts: readonly Part[], path = '/bucket') => {
  const host = new URL(node.s3).host
  const { headers, body } = formOf(parts)
  return send(node.s3, { method: 'POST', path, headers: { host, ...headers }, body })
}

const fieldsOf = (fields: Record<string, string>): Part[] => Object.entries(fields)
const FREE = [{ bucket: 'bucket' }, ['starts-with', '$key', '']]

t.test('a form stores an object, with what its fields say of it', async t => {
  const node = await nodeWithBucket(t)
  const bytes = Buffer.alloc(300_000, 'bytes of a picture')
  // biome-ignore lint/suspicious/noTemplateCurlyInString: S3's own placeholder.
  const about = { key: 'up/${filename}', 'Content-Type': 'image/png', 'x-amz-meta-who': 'me', acl: 'private' }
  const conditions = [
    { bucket: 'bucket' },
    ['starts-with', '$key', 'up/'],
    { 'content-type': 'image/png' },
    { 'x-amz-meta-who': 'me' },
    { acl: 'private' },
    ['content-length-range', 1, 300_000],
  ]
  const parts: Part[] = [
    ...fieldsOf({ ...about, ...signed(conditions) }),
    ['file', bytes, 'C:\\\\folder\\\\käse 1.png'],
    ['submit', 'what comes after the file means nothing'],
  ]
  const stored = await post(node, parts)
  t.equal(stored.status, 204, stored.text)
  t.match(stored.headers, { etag: /^".+"$/, location: `${node.s3}/bucket/up/k%C3%A4se%201.png` })
  const got = await node.ask({ path: '/bucket/up/k%C3%A4se%201.png' })
  t.equal(got.text, bytes.toString())
  t.match(got.headers, { 'content-type': 'image/png', 'x-amz-meta-who': 'me', etag: stored.headers.etag })
})

t.test('what is answered is what the form wants', async t => {
  const node = await nodeWithBucket(t)
  const answered = (fields: Record<string, string>) => {
    const own = Object.keys(fields).map(name => ['starts-with', `$${name}`, ''])
    return post(node, [
      ...fieldsOf({ key: 'a b', ...fields, ...signed([...FREE, ...own]) }),
      ['file', 'x', 'f'],
    ])
  }
  t.equal((await answered({ success_action_status: '200' })).status, 200)
  t.equal((await answered({ success_action_status: '404' })).status, 204)
  const made = await answered({ success_action_status: '201' })
  t.equal(made.status, 201)
  t.same(textsOf(made.text, 'Key'), ['a b'])
  t.same(textsOf(made.text, 'Location'), [`${node.s3}/bucket/a%20b`])
  const sent = await answered({ success_action_redirect: 'http://page.example/done?x=1' })
  t.equal(sent.status, 303)
  const place = new URL(sent.headers.location as string)
  t.match(Object.fromEntries(place.searchParams), {
    x: '1',
    bucket: 'bucket',
    key: 'a b',
    etag: sent.headers.etag,
  })
  t.equal((await answered({ success_action_redirect: 'javascript:alert(1)' })).status, 204)
})

t.test('who may not, and what does not fit, stores nothing', async t => {
  const node = await nodeWithBucket(t)
  const good = { key: 'k', ...signed(FREE) }
  const file: Part = ['file', 'x', 'f']
  const refused: [what: string, code: string, parts: readonly Part[], path?: string][] = [
    ['no signature', 'AccessDenied', [['key', 'k'], file]],
    [
      'a wrong secret',
      'SignatureDoesNotMatch',
      [...fieldsOf({ key: 'k', ...signed(FREE, { secret: 'other' }) }), file],
    ],
    ['nobody', 'InvalidAccessKeyId', [...fieldsOf({ key: 'k', ...signed(FREE, { keyId: 'nobody' }) }), file]],
    [
      'a key that may read only',
      'AccessDenied',
      [...fieldsOf({ key: 'k', ...signed(FREE, { keyId: 'reader' }) }), file],
    ],
    [
      'a policy that was changed',
      'SignatureDoesNotMatch',
      [...fieldsOf({ ...good, policy: `${good.policy}A` }), file],
    ],
    [
      'a policy that has ended',
      'AccessDenied',
      [...fieldsOf({ key: 'k', ...signed(FREE, { expires: new Date(0) }) }), file],
    ],
    [
      'a policy that is none',
      'InvalidPolicyDocument',
      [...fieldsOf({ key: 'k', ...signed([]), ...signed([7]) }), file],
    ],
    ['Signature Version 2', 'InvalidRequest', [...fieldsOf({ ...good, AWSAccessKeyId: KEY_ID }), file]],
    [
      'a field that no condition names',
      'AccessDenied',
      [...fieldsOf({ ...good, 'x-amz-meta-a': 'b' }), file],
    ],
    [
      'public access',
      'NotImplemented',
      [...fieldsOf({ key: 'k', acl: 'public-read', ...signed([...FREE, { acl: 'public-read' }]) }), file],
    ],
    [
      'tags',
      'NotImplemented',
      [...fieldsOf({ key: 'k', tagging: 't', ...signed([...FREE, { tagging: 't' }]) }), file],
    ],
    ['no key', 'InvalidArgument', [...fieldsOf(signed(FREE)), file]],
    ['no file', 'InvalidArgument', fieldsOf(good)],
    ['two files', 'InvalidArgument', [...fieldsOf(good), file, file]],
    ['a field twice', 'InvalidArgument', [...fieldsOf(good), ['key', 'other'], file]],
    [
      'fields of 30 kB',
      'MaxPostPreDataLengthExceeded',
      [...fieldsOf(good), ['x-ignore-a', 'x'.repeat(30_000)], file],
    ],
    ['another bucket', 'AccessDenied', [...fieldsOf(good), file], '/other'],
    [
      'too large',
      'EntityTooLarge',
      [
        ...fieldsOf({ key: 'k', ...signed([...FREE, ['content-length-range', 0, 3]]) }),
        ['file', 'xxxx', 'f'],
      ],
    ],
    [
      'too small',
      'EntityTooSmall',
      [...fieldsOf({ key: 'k', ...signed([...FREE, ['content-length-range', 3, 9]]) }), ['file', 'xx', 'f']],
    ],
    [
      'another checksum',
      'BadDigest',
      [
        ...fieldsOf({
          key: 'k',
          'x-amz-checksum-sha256': createHash('sha256').update('y').digest('base64'),
          ...signed([...FREE, ['starts-with', '$x-amz-checksum-sha256', '']]),
        }),
        file,
      ],
    ],
  ]
  for (const [what, code, parts, path] of refused) t.equal((await post(node, parts, path)).code, code, what)
  const noBucket = { key: 'k', ...signed([{ bucket: 'absent' }, { key: 'k' }]) }
  t.equal((await post(node, [...fieldsOf(noBucket), file], '/absent')).code, 'NoSuchBucket')
  t.same(textsOf((await node.ask({ path: '/bucket' })).text, 'Key'), [])
})

t.test('a form that is cut off or malformed stores nothing', async t => {
  const node = await nodeWithBucket(t)
  const { headers, body } = formOf([
    ...fieldsOf({ key: 'k', ...signed(FREE) }),
    ['file', 'x'.repeat(50_000), 'f'],
  ])
  const answer = (bytes: Uint8Array) =>
    send(node.s3, { method: 'POST', path: '/bucket', headers, body: bytes })
  for (const at of [10, 400, body.length - 30_000, body.length - 5])
    t.equal((await answer(body.subarray(0, at))).code, 'MalformedPOSTRequest', `cut off at ${at}`)
  t.equal((await answer(Buffer.from('no form'))).code, 'MalformedPOSTRequest')
  const plain = await send(node.s3, { method: 'POST', path: '/bucket', body: 'x' })
  t.equal(plain.code, 'AccessDenied', 'a POST that is no form')
  t.same(textsOf((await node.ask({ path: '/bucket' })).text, 'Key'), [])
  t.equal((await answer(body)).status, 204)
})

t.test('conditions hold in a form, as fields, and nothing beside it is passed over', async t => {
  const node = await nodeWithBucket(t)
  const once = { key: 'once', 'if-none-match': '*', ...signed([...FREE, { 'if-none-match': '*' }]) }
  const create = () => post(node, [...fieldsOf(once), ['file', 'x', 'f']])
  t.equal((await create()).status, 204)
  t.equal((await create()).code, 'PreconditionFailed')
  const { headers, body } = formOf([...fieldsOf({ key: 'k', ...signed(FREE) }), ['file', 'x', 'f']])
  const beside = (more: Record<string, string>) =>
    send(node.s3, { method: 'POST', path: '/bucket', headers: { ...headers, ...more }, body })
  t.equal((await beside({ 'if-none-match': '*' })).code, 'NotImplemented')
  t.equal((await beside({ 'x-amz-acl': 'public-read' })).code, 'NotImplemented')
})

t.test('bytes behind a form without a length are named, and are no fault of the node', async t => {
  const node = await nodeWithBucket(t)
  const { port } = new URL(node.s3)
  const answered = (bytes: string) =>
    new Promise<string>(resolve => {
      let text = ''
      const socket = connect(Number(port), '127.0.0.1', () => socket.write(bytes))
      socket.on('data', data => {
        text += data
      })
      socket.on('close', () => resolve(text)).on('error', () => {})
    })
  const head = 'POST /bucket HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n'
  t.match(await answered(`${head}Connection: close\r\n\r\nGARBAGE / x\r\n\r\n`), /^HTTP\/1\.1 4\d\d /)
  const trailers = `${head}Transfer-Encoding: chunked\r\n\r\n0\r\nX-T: ${'x'.repeat(90_000)}\r\n\r\n`
  t.match(await answered(trailers), /^HTTP\/1\.1 4\d\d /)
})
