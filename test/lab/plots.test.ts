import t from 'tap'
import { linePlot, type PlotInit, type PlotPoint } from '../../src/lab/plots.ts'

const point = (panel: string, series: string, x: number, y: number): PlotPoint => ({
  panel,
  series,
  x,
  y,
  low: y - 1,
  high: y + 1,
})
const init: PlotInit = {
  title: 'Title of the plot',
  xLabel: 'time (s)',
  yLabel: 'speed (m/s)',
  xScale: 'linear',
  points: [
    point('left', 'one', 1, 5),
    point('left', 'one', 2, 6),
    point('right', 'two', 1, 7),
    point('right', 'two', 2, 8),
  ],
}

t.test('a plot is an SVG document of its own that names axes, panels and lines', async t => {
  const svg = linePlot(init)
  t.match(svg, /^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/)
  for (const text of ['Title of the plot', 'time (s)', 'speed (m/s)', 'left', 'right', '● one', '● two'])
    t.ok(svg.includes(text), text)
  t.notMatch(svg, /NaN|undefined/)
  t.equal(linePlot(init), svg, 'the same points give the same text')
})

t.test('a point without an error bar is drawn too', async t => {
  const points = init.points.map(each => ({ ...each, low: Number.NaN, high: Number.NaN }))
  t.notMatch(linePlot({ ...init, points }), /NaN/)
})

t.test('more lines than colours are a fault of the program', async t => {
  const points = Array.from({ length: 8 }, (_, index) => point('left', `line ${index}`, 1, index))
  t.throws(() => linePlot({ ...init, points }), TypeError)
})
