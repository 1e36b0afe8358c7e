/**
 * A node with a million files: lists, starts, and what the files cost in memory.
 */
import assert from 'node:assert'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { residentBytesDuring } from '../../test/e2e/harness.ts'
import { runSocketLoad } from '../loads/socket-load.ts'
import { type OurNode, openOurNode } from '../servers/our-node.ts'
import { spreadOf } from '../statistics.ts'
import type { Benchmark, Row, Settings } from './benchmark.ts'

const START_GOAL_MS = 2000

/** Small, so that a million of them are about the records and not about the bytes. */
const BODY_BYTES = 100

export const manyFiles: Benchmark = {
  name: 'many',
  async run(settings) {
    const count = settings.quick ? 20_000 : 1_000_000
    const directory = join(settings.directory, 'many')
    await mkdir(directory)
    const name = `${count.toLocaleString('en')} files`

    const empty = await starts(settings, directory)
    const filling = await openOurNode(directory)
    const load = await runSocketLoad({
      ...{ port: filling.port, method: 'PUT', target: filling.putTarget('bench/many') },
      ...{ uniquePaths: true, connections: 64, count, bodyBytes: BODY_BYTES },
    })
    assert.equal(load.refused, 0, 'every file was taken')
    const filledBytes = await filling.process.residentBytes()
    settings.progress(`${name} put, ${Math.round(load.perSecond)}/s`)
    await filling.stop()

    const full = await starts(settings, directory)
    const node = await openOurNode(directory)
    try {
      const lists = await measureLists(settings, node, count, name)
      return [...lists, ...costs(name, count, { empty, full, filledBytes })]
    } finally {
      await node.stop()
    }
  },
}

interface Starts {
  readonly startMs: readonly number[]
  /** RssAnon just after the start and a few requests, bytes. */
  readonly residentBytes: readonly number[]
}

async function starts(settings: Settings, directory: string): Promise<Starts> {
  const startMs: number[] = []
  const residentBytes: number[] = []
  for (let round = 0; round < (settings.quick ? 1 : 5); round++) {
    const node = await openOurNode(directory)
    startMs.push(node.process.startMs)
    for (let i = 0; i < 20; i++) await fetchText(`${node.process.url}/exists/bench/many/00/0`)
    residentBytes.push(await node.process.residentBytes())
    settings.progress(`start ${Math.round(node.process.startMs)} ms`)
    await node.stop()
  }
  return { startMs, residentBytes }
}

async function measureLists(settings: Settings, node: OurNode, count: number, name: string): Promise<Row[]> {
  const rounds = settings.quick ? 3 : 20
  const { url, pid } = node.process
  const firstPage = await timesMs(rounds, async () => {
    await fetchText(`${url}/list/bench`)
  })
  const lastPage = await timesMs(rounds, async () => {
    await fetchText(`${url}/list?after=bench/many/f`)
  })
  const folders = await timesMs(rounds, async () => {
    await fetchText(`${url}/list/bench/many/?delimiter=/`)
  })
  let bytes = 0
  let listMs: number[] = []
  const memory = await residentBytesDuring(pid, async () => {
    listMs = await timesMs(settings.quick ? 1 : 3, async () => {
      const streamed = await countLines(`${url}/list/bench`)
      assert.equal(streamed.lines, count, 'the list has every file')
      bytes = streamed.bytes
    })
  })
  const whole = spreadOf(listMs)
  return [
    { what: `first page (1,000 files) of a list over ${name}`, ours: msText(firstPage) },
    { what: `a page in the middle of it`, ours: msText(lastPage) },
    { what: `one level with a delimiter, 256 folders of ${name}`, ours: msText(folders) },
    {
      what: `the whole list as NDJSON, ${name}`,
      ours:
        `${(whole.median / 1000).toFixed(1)} s (${(whole.lowest / 1000).toFixed(1)} to ` +
        `${(whole.highest / 1000).toFixed(1)}), ${Math.round(count / (whole.median / 1000)).toLocaleString('en')} ` +
        `files/s, ${Math.round(bytes / 2 ** 20)} MiB; RssAnon moves ${Math.round((memory.peak - memory.before) / 2 ** 20)} MiB`,
    },
  ]
}

function costs(
  name: string,
  count: number,
  measured: { readonly empty: Starts; readonly full: Starts; readonly filledBytes: number },
): Row[] {
  const { empty, full, filledBytes } = measured
  const emptyBytes = spreadOf(empty.residentBytes).median
  const fullBytes = spreadOf(full.residentBytes).median
  const each = (bytes: number) => ((bytes - emptyBytes) / count).toFixed(1)
  return [
    {
      what: `start with ${name}, from spawn to ready (the same without files: ${msText(empty.startMs)})`,
      ours: msText(full.startMs),
      goal: `under ${START_GOAL_MS / 1000} s`,
      met: spreadOf(full.startMs).median < START_GOAL_MS,
    },
    {
      what: `RssAnon for each stored file, after a start with ${name}`,
      ours: `${each(fullBytes)} bytes (${mebibytesText(emptyBytes)} without files, ${mebibytesText(fullBytes)} with them)`,
    },
    {
      what: `RssAnon for each stored file, just after ${name} were put`,
      ours: `${each(filledBytes)} bytes (${mebibytesText(filledBytes)}; includes what V8 keeps of the traffic)`,
    },
  ]
}

function mebibytesText(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`
}

function msText(times: readonly number[]): string {
  const { median, lowest, highest } = spreadOf(times)
  const digits = median < 100 ? 1 : 0
  return `${median.toFixed(digits)} ms (${lowest.toFixed(digits)} to ${highest.toFixed(digits)})`
}

async function timesMs(rounds: number, measured: () => Promise<void>): Promise<number[]> {
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const began = performance.now()
    await measured()
    times.push(performance.now() - began)
  }
  return times
}

async function fetchText(url: string): Promise<string> {
  const reply = await fetch(url)
  const text = await reply.text()
  assert.equal(reply.status, 200, text)
  return text
}

async function countLines(url: string): Promise<{ readonly lines: number; readonly bytes: number }> {
  const reply = await fetch(url, { headers: { accept: 'application/x-ndjson' } })
  assert.equal(reply.status, 200)
  let lines = 0
  let bytes = 0
  for await (const chunk of reply.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.length
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines++
  }
  return { lines, bytes }
}
