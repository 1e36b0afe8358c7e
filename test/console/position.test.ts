import t from 'tap'

import { bandPath, coloursOf, pointAt, turnOf } from '../../src/console/position.js'

t.test('positions go clockwise from the top', async t => {
  t.equal(turnOf('0'.repeat(40)), 0)
  t.equal(turnOf(`8${'0'.repeat(39)}`), 0.5)
  const near = (point: { x: number; y: number }, x: number, y: number) =>
    t.ok(Math.hypot(point.x - x, point.y - y) < 0.001, `${x} ${y}`)
  near(pointAt(0, 100), 200, 100)
  near(pointAt(0.25, 100), 300, 200)
  near(pointAt(0.5, 100), 200, 300)
})

t.test('a band goes the short way, the long way, and all around', async t => {
  t.match(
    bandPath(0, 0.25, 50, 100),
    /^M200\.00 100\.00A100\.00 100\.00 0 0 1 300\.00 200\.00L250\.00 200\.00/,
  )
  t.match(
    bandPath(0.25, 0, 50, 100),
    /^M300\.00 200\.00A100\.00 100\.00 0 1 1 200\.00 100\.00/,
    'over the top',
  )
  t.match(bandPath(0.5, 0.5, 50, 100), / 0 1 1 /, 'one node has the whole ring')
})

t.test('every node has a colour of its own', async t => {
  const nodes = Array.from({ length: 35 }, (_, i) => `node-${i}`)
  t.equal(new Set(coloursOf(nodes).values()).size, 35)
})
