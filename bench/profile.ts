/**
 * `npm run bench -- --profile`: where the main thread's time of a put goes, by part of the program, out of profiles that
 * node writes (`--cpu-prof`).
 */
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { SourceMap } from 'node:module'
import { join } from 'node:path'
import type { Settings } from './cases/benchmark.ts'
import { runRequestLoad } from './loads/request-load.ts'
import { runSocketLoad } from './loads/socket-load.ts'
import { openOurNetwork } from './servers/our-network.ts'

/** The form that V8 gives (Chrome DevTools protocol, Profiler.Profile); times in microseconds. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
  /** On the clock of `process.hrtime`, which all processes of a machine share. */
  readonly startTime: number
}

interface ProfileNode {
  readonly id: number
  readonly callFrame: {
    readonly functionName: string
    readonly url: string
    /** From 0, as the column. */
    readonly lineNumber: number
    readonly columnNumber: number
  }
  readonly children?: readonly number[]
}

export interface Parts {
  /** Microseconds by part of the program, the largest first: a folder of src, a package, node itself, the collector. */
  readonly parts: readonly (readonly [name: string, us: number])[]
  /** Microseconds of each function itself, the largest first. */
  readonly functions: readonly (readonly [name: string, us: number])[]
}

/** The same profile, with the modules of src in place of the files of dist that hold them, as the source maps beside those say. */
export async function withSources(profile: CpuProfile): Promise<CpuProfile> {
  const maps = new Map<string, SourceMap | undefined>()
  for (const { callFrame } of profile.nodes) {
    if (maps.has(callFrame.url) || !/\/dist\/[^/]*\.js$/.test(callFrame.url)) continue
    const text = await readFile(new URL(`${callFrame.url}.map`), 'utf8').catch(() => undefined)
    maps.set(callFrame.url, text === undefined ? undefined : new SourceMap(JSON.parse(text)))
  }
  const nodes = profile.nodes.map(node => {
    const { url, lineNumber, columnNumber } = node.callFrame
    const found = maps.get(url)?.findEntry(lineNumber, columnNumber)
    if (found === undefined || !('originalSource' in found)) return node
    const source = { url: new URL(found.originalSource, url).href, lineNumber: found.originalLine }
    return { ...node, callFrame: { ...node.callFrame, ...source } }
  })
  return { ...profile, nodes }
}

/** A time on the clock of profiles, microseconds. */
export type Span = readonly [from: number, to: number]

/** Adds up what profiles have of a span: not the start of a process. What node does on behalf of a part counts for node, and for the part where only V8 is below it. */
export function partsOf(profiles: readonly CpuProfile[], [from, to]: Span): Parts {
  const parts = new Map<string, number>()
  const functions = new Map<string, number>()
  const add = (sums: Map<string, number>, name: string, us: number) =>
    sums.set(name, (sums.get(name) ?? 0) + us)
  for (const { nodes, samples, timeDeltas, startTime } of profiles) {
    const byId = new Map(nodes.map(node => [node.id, node]))
    const parents = new Map(
      nodes.flatMap(({ id, children = [] }) => children.map(child => [child, id] as const)),
    )
    const partById = new Map<number, string>()
    const partOfNode = (id: number): string => {
      const known = partById.get(id)
      if (known !== undefined) return known
      const { callFrame } = byId.get(id) as ProfileNode
      const parent = parents.get(id)
      const part =
        partOfUrl(callFrame.url) ??
        (callFrame.functionName.startsWith('(') || parent === undefined
          ? callFrame.functionName
          : partOfNode(parent))
      partById.set(id, part)
      return part
    }
    let now = startTime
    for (const [index, id] of samples.entries()) {
      const us = timeDeltas[index] ?? 0
      now += us
      if (now < from || now > to) continue
      const { callFrame } = byId.get(id) as ProfileNode
      if (callFrame.functionName === '(idle)') continue
      add(parts, partOfNode(id), us)
      const place = callFrame.url === '' ? '' : ` ${shortUrl(callFrame.url)}:${callFrame.lineNumber + 1}`
      add(functions, `${callFrame.functionName || '(anonymous)'}${place}`, us)
    }
  }
  const sorted = (sums: Map<string, number>) => [...sums].sort(([, a], [, b]) => b - a)
  return { parts: sorted(parts), functions: sorted(functions) }
}

/** Undefined for what V8 itself has no file for: it counts for whoever called it. */
function partOfUrl(url: string): string | undefined {
  if (url === '') return undefined
  if (url.startsWith('node:')) return 'node (http, net, streams, timers)'
  const found = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)
  if (found !== null) return found[1]
  const own = /\/(?:src|dist)\/(.*)$/.exec(url)?.[1]
  return own === undefined ? url : `src/${own.includes('/') ? own.slice(0, own.lastIndexOf('/')) : own}`
}

function shortUrl(url: string): string {
  return url.replace(/^.*node_modules\//, '').replace(/^.*\/(?:src|dist)\//, 'src/')
}

/** Puts before the span that is told: a program that has only just started is slower. */
const WARM_PUTS = 3000

function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n)
}

/** Puts of 4 KiB on one node and on three, profiled; prints both tables for each. */
export async function profilePuts(settings: Settings): Promise<void> {
  const durationMs = settings.quick ? 1000 : 10_000
  for (const nodes of [1, 3]) {
    const folder = join(settings.directory, `profile-${nodes}`)
    await mkdir(folder)
    const cluster = await openOurNetwork(nodes, ['--cpu-prof', `--cpu-prof-dir=${folder}`])
    let requests: number
    let span: Span
    try {
      await runSocketLoad({
        ...{ port: cluster.node(0).port, method: 'PUT', target: '/put/bench/warm', uniquePaths: true },
        ...{ connections: 64, bodyBytes: 4096, count: WARM_PUTS },
      })
      const from = nowUs()
      const load = await runRequestLoad({
        ...{ port: cluster.node(0).port, method: 'PUT', target: '/put/bench/profile', uniquePaths: true },
        ...{ connections: 64, bodyBytes: 4096, durationMs },
      })
      span = [from, nowUs()]
      requests = load.requests
      for (const index of cluster.nodes.keys()) await cluster.stop(index)
    } finally {
      await cluster.close()
    }
    const files = await readdir(folder)
    const profiles = await Promise.all(
      files.map(async file => withSources(JSON.parse(await readFile(join(folder, file), 'utf8')))),
    )
    const { parts, functions } = partsOf(profiles, span)
    const line = ([name, us]: readonly [string, number]) =>
      `${(us / requests).toFixed(1).padStart(9)}  ${name}`
    console.log(
      [
        `Put of 4 KiB, k = ${nodes}, ${nodes === 1 ? 'one node' : `${nodes} nodes together`}, ${requests} puts: microseconds of the main threads for each put`,
        ...['by part', ...parts.slice(0, 20).map(line)],
        ...['by function, itself', ...functions.slice(0, 30).map(line)],
        '',
      ].join('\n'),
    )
  }
}
