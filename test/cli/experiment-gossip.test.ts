import { readdir } from 'node:fs/promises'
import { Command } from 'commander'
import t from 'tap'
import { addGossipExperiment } from '../../src/cli/experiment-gossip.ts'
import { scriptedSession } from './scripted-session.ts'

t.test('the page of a small network', async t => {
  const folder = t.testdir()
  const session = scriptedSession({})
  const experiment = new Command('experiment')
  addGossipExperiment(experiment, session)
  await experiment.parseAsync(['gossip', '--nodes', '5', '--output', folder], { from: 'user' })
  t.match(session.out(), /\| 5 \| 8\.6 \|/)
  t.same((await readdir(folder)).sort(), [
    'README.md',
    'bytes.svg',
    'detection.svg',
    'false.svg',
    'rounds.svg',
  ])
})
