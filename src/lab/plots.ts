/**
 * The drawing of measurements as SVG: lines with error bars in panels that share their axes, every axis named.
 *
 * Observable Plot draws; linkedom is the document it draws into, so that no browser is needed.
 */
import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'

export interface PlotPoint {
  /** Which panel, from left to right in the order of first appearance. */
  readonly panel: string
  /** Which line. */
  readonly series: string
  readonly x: number
  readonly y: number
  /** Ends of the error bar; equal to y (or NaN) for none. */
  readonly low: number
  readonly high: number
}

export interface PlotInit {
  readonly title: string
  /** What the axis shows, with its unit. */
  readonly xLabel: string
  readonly yLabel: string
  readonly xScale: 'linear' | 'log'
  readonly points: readonly PlotPoint[]
}

/** Pixels. */
const PANEL_WIDTH = 420
const PANEL_HEIGHT = 340
const LEGEND_LINE = 16
const MARGIN_TOP = 64

/** Okabe and Ito's colours, which people with any kind of colour vision can tell apart. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000']

/** The plot as an SVG document. The same points give the same text. */
export function linePlot(init: PlotInit): string {
  const panels = [...new Set(init.points.map(({ panel }) => panel))]
  const series = [...new Set(init.points.map(({ series }) => series))]
  if (series.length > COLOURS.length) throw new TypeError(`a plot has at most ${COLOURS.length} lines`)
  const points = init.points.map(point => ({ ...point }))
  const bars = points.filter(({ low, high }) => high > low)
  const ticks = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b)
  const { document } = parseHTML('<html></html>')
  const svg = Plot.plot({
    document,
    width: 60 + panels.length * PANEL_WIDTH,
    height: MARGIN_TOP + series.length * LEGEND_LINE + PANEL_HEIGHT,
    marginTop: MARGIN_TOP + series.length * LEGEND_LINE,
    marginLeft: 56,
    marginBottom: 46,
    style: { background: 'white', color: 'black', fontSize: '12px' },
    x: {
      type: init.xScale,
      label: init.xLabel,
      ticks,
      tickFormat: 'd',
      labelAnchor: 'center',
      labelArrow: 'none',
    },
    y: { label: init.yLabel, grid: true, zero: true, nice: true, labelArrow: 'none' },
    fx: { domain: panels, label: null, axis: null, padding: 0.06 },
    color: { domain: series, range: COLOURS.slice(0, series.length) },
    marks: [
      Plot.frame({ stroke: '#999' }),
      Plot.lineY(points, { x: 'x', y: 'y', z: 'series', fx: 'panel', stroke: 'series', strokeWidth: 1.8 }),
      Plot.ruleX(bars, { x: 'x', y1: 'low', y2: 'high', fx: 'panel', stroke: 'series', strokeWidth: 1.5 }),
      Plot.dot(points, { x: 'x', y: 'y', fx: 'panel', fill: 'series', r: 3 }),
      Plot.text(panels, { fx: panel => panel, text: panel => panel, frameAnchor: 'top', dy: -8 }),
      ...legend(init.title, panels[0] ?? '', series),
    ],
  })
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  return `${svg.outerHTML}\n`
}

/** The title and one line for each series, above the first panel. */
function legend(title: string, panel: string, series: readonly string[]) {
  const above = (line: number) => -(28 + (series.length - line) * LEGEND_LINE)
  const place = { fx: () => panel, frameAnchor: 'top-left', textAnchor: 'start' } as const
  return [
    Plot.text([title], { ...place, text: text => text, dy: above(0) - 4, fontSize: 14, fontWeight: 'bold' }),
    ...series.map((name, index) =>
      Plot.text([name], {
        ...place,
        text: text => `● ${text}`,
        dy: above(index + 1),
        fill: () => name,
        stroke: 'none',
      }),
    ),
  ]
}
