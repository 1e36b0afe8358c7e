import t from 'tap'
import { BlockShelf } from '../../../src/replication/chain/block-shelf.ts'

t.test('whoever has taken nothing for longest loses its block', t => {
  const shelf = new BlockShelf({ blocksMax: 2 })
  const lost: string[] = []
  const readers = ['a', 'b', 'c', 'd'].map(name => ({ name }))
  const keep = (index: number) => {
    const reader = readers[index] as { name: string }
    shelf.keep(reader, () => lost.push(reader.name))
  }
  keep(0)
  keep(1)
  shelf.touch(readers[0] as object)
  keep(2)
  t.same(lost, ['b'])
  keep(0)
  t.same(lost, ['b'], 'its next block takes the room of the one before')
  shelf.giveUp(readers[2] as object)
  keep(3)
  t.same(lost, ['b'])
  shelf.touch(readers[2] as object)
  keep(1)
  t.same(lost, ['b', 'a'], 'who has given its block up takes no room')
  t.end()
})
