import t from 'tap'
import { RoundTrips } from '../../src/peer/round-trips.ts'
import type { Address } from '../../src/ring/identifier.ts'

const [a, b, c] = ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3'] as Address[] as [Address, Address, Address]

t.test('the limit follows what was seen, up quickly and down again', async t => {
  const trips = new RoundTrips()
  t.equal(trips.limitMs(a), 0, 'nothing is known')
  t.equal(trips.meanMs(a), 0)
  t.equal(trips.limitMs(undefined), 0)
  trips.took(a, 10)
  t.equal(trips.meanMs(a), 10)
  t.equal(trips.limitMs(a), 30, 'a first sample counts with twice itself on top (RFC 6298, section 2.2)')
  for (let times = 0; times < 100; times++) trips.took(a, 10)
  t.ok(trips.limitMs(a) < 11, 'steady round trips leave no room')
  trips.took(a, 1_000)
  t.ok(trips.limitMs(a) > 1_000, 'one slow round trip is believed')
  for (let times = 0; times < 100; times++) trips.took(a, 10)
  t.ok(trips.limitMs(a) < 20, 'and forgotten')
})

t.test('the middle of the network is not moved by one slow peer', async t => {
  const trips = new RoundTrips()
  trips.took(a, 10)
  trips.took(b, 20)
  trips.took(c, 5_000)
  t.equal(trips.limitMs(undefined), trips.limitMs(b))
  for (let times = 0; times < 200; times++) for (const peer of [a, b, c]) trips.took(peer, 400)
  t.ok(trips.limitMs(undefined) >= 400, 'but by all of them')
})

t.test('one that a pause or a cut has held up is soon forgotten', async t => {
  const trips = new RoundTrips()
  for (let times = 0; times < 20; times++) trips.took(a, 5)
  trips.took(a, 10_000)
  t.ok(trips.limitMs(a) > 1_000)
  for (let times = 0; times < 20; times++) trips.took(a, 5)
  t.ok(trips.limitMs(a) < 250, `${trips.limitMs(a)} ms`)
})

t.test('no more than some peers are remembered', async t => {
  const trips = new RoundTrips()
  for (let port = 1; port <= 2_000; port++) trips.took(`10.0.0.1:${port}` as Address, 10)
  t.equal(trips.limitMs('10.0.0.1:1' as Address), 0)
  t.equal(trips.limitMs('10.0.0.1:2000' as Address), 30)
})
