import t from 'tap'
import { toldRange } from '../../src/client/told-range.ts'

const lo = '0'.repeat(39).concat('1')
const hi = 'f'.repeat(40)
const loopback = new URL('http://127.0.0.1:5000')

t.test('a range with its replicas, under the scheme of the node that the user named', async t => {
  t.same(toldRange(`${lo} ${hi} 7 127.0.0.1:5001 files.example:443`, loopback), {
    lo,
    hi,
    epoch: 7,
    origins: ['http://127.0.0.1:5001', 'http://files.example:443'],
  })
  t.same(toldRange(`${lo} ${hi} 7 a.example:443 [2001:db8::1]:5000`, new URL('https://b.example'))?.origins, [
    'https://a.example',
    'https://[2001:db8::1]:5000',
  ])
})

t.test('loopback of a node elsewhere is not our own machine', async t => {
  const far = new URL('http://files.example:5000')
  for (const address of ['127.0.0.1:5001', 'localhost:5001', '[::1]:5001', 'a.localhost:1']) {
    t.equal(toldRange(`${lo} ${hi} 7 ${address}`, far), undefined, address)
    t.same(toldRange(`${lo} ${hi} 7 ${address}`, loopback)?.origins, [`http://${address}`], address)
    t.same(toldRange(`${lo} ${hi} 7 ${address} b.example:1`, far)?.origins, ['http://b.example:1'])
  }
})

t.test('what is malformed teaches nothing', async t => {
  const many = Array.from({ length: 16 }, (_, i) => `n${i}:1`).join(' ')
  for (const field of [
    '',
    'x',
    `${lo} ${hi}`,
    `${lo} ${hi} 7`,
    `${lo} ${hi} -7 a:1`,
    `${lo} ${hi} 7.5 a:1`,
    `${lo} ${hi} 9999999999999999 a:1`,
    `${lo} ${hi.slice(1)} 7 a:1`,
    `${lo} ${hi.toUpperCase()} 7 a:1`,
    `${lo} ${hi} 7 a`,
    `${lo} ${hi} 7 5000`,
    `${lo} ${hi} 7 a:1/path`,
    `${lo} ${hi} 7 user@a:1`,
    `${lo} ${hi} 7 ${many}`,
  ]) {
    t.equal(toldRange(field, loopback), undefined, field)
  }
})
