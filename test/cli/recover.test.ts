import t from 'tap'
import { runCli } from '../../src/cli/main.ts'
import { json, scriptedServer } from '../client/scripted-server.ts'
import { scriptedSession } from './scripted-session.ts'

const range = { lo: '1', hi: '2', epoch: 3, silent: ['b:1'], survivor: 'a:1', files: 4, isNewest: true }
const PLAN = { plan: 'p1', silent: ['b:1', 'c:1'], ranges: [range, { ...range, files: 1 }] }

async function recover(url: string, ...flags: string[]) {
  const session = scriptedSession({ environment: { ALTERED_CHORD_NODE: url } })
  const code = await runCli(['recover', ...flags], session)
  return { code, out: session.out(), err: session.err() }
}

t.test('it is only told what would be done, unless force is asked for', async t => {
  const bodies: string[] = []
  const { origin } = await scriptedServer(t, [
    json(200, PLAN),
    json(200, PLAN),
    (seen, response) => {
      bodies.push(seen.body.toString())
      response.writeHead(200).end('{"recovered":[{},{}]}')
    },
  ])
  const asked = await recover(origin)
  t.equal(asked.code, 0)
  t.equal(
    asked.out,
    '2 ranges are lost while these do not answer: b:1, c:1\n  2 ranges, 5 files: a:1 has their newest known state\n',
  )
  t.match(asked.err, /^Nothing was changed\./)
  const forced = await recover(origin, '--force')
  t.match(forced, { code: 0, out: /2 ranges recovered by force\n$/, err: '' })
  t.same(bodies, ['{"force":"p1"}'], 'exactly the plan that was shown')
})

t.test('what nobody has anything of stays lost, which is no success', async t => {
  const { origin } = await scriptedServer(t, [
    json(200, {
      ...PLAN,
      ranges: [
        { ...range, survivor: null },
        { ...range, isNewest: false },
      ],
    }),
  ])
  t.match(await recover(origin), {
    code: 1,
    out: /1 range, 4 files: no survivor has anything of them\n {2}1 range, 4 files: a:1 has an older state, later writes are lost\n/,
  })
})
