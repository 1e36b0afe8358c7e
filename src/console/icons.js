/**
 * The icons: strokes on a grid of 24, in the colour of the text around them.
 */
import { h } from './preact.js'

const SHAPES = {
  folder:
    'M3 6.500a1.500 1.500 0 0 1 1.500-1.500h4.200l2.300 2.500h8.500a1.500 1.500 0 0 1 1.500 1.500v9a1.500 1.500 0 0 1-1.500 1.500h-15a1.500 1.500 0 0 1-1.500-1.500z',
  file: 'M6 3h8l5 5v12a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM14 3v5h5',
  image: 'M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.500 9.500h.01',
  upload: 'M12 16V5M7 9.500 12 4.500l5 5M5 19.500h14',
  download: 'M12 4.500v11M7 11l5 5 5-5M5 19.500h14',
  share:
    'M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.700-5.700l-1 1M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.700 5.700l1-1',
  rename: 'M4 20h4L19 9l-4-4L4 16zM13.500 6.500l4 4',
  remove: 'M5 7h14M10 7V4.500h4V7M7 7l1 13h8l1-13M10 11v5M14 11v5',
  undo: 'M9 14 4.500 9.500 9 5M4.500 9.500H15a4.500 4.500 0 0 1 0 9h-4',
  close: 'M6 6l12 12M18 6 6 18',
  search: 'M11 18a7 7 0 1 1 0-14 7 7 0 0 1 0 14zM16 16l4.500 4.500',
  up: 'M12 19V6M6.500 11 12 5.500 17.500 11',
  add: 'M12 5v14M5 12h14',
  key: 'M14.500 13.500a4.500 4.500 0 1 0-4-4L4 16v4h4v-2.500h2.500V15zM16 8h.01',
  leave: 'M10 4.500H5v15h5M14 8l4 4-4 4M18 12H9.500',
}

/** @param {keyof typeof SHAPES} name */
export function icon(name) {
  return h(
    'svg',
    { class: 'icon', viewBox: '0 0 24 24', 'aria-hidden': 'true' },
    h('path', { d: SHAPES[name] }),
  )
}
