// `npm run build` compiles the program into dist, as the package has it: the modules of src in a few files on one level. A node that has
// to find and read each of some 550 modules by itself takes a fifth to a third more processor time to start. Packages stay packages. What
// a command alone needs stays in a file of its own, which only that command loads. `node packaging/build.js FOLDER` makes another folder.
import { cpSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('../', import.meta.url))
const [, , folder] = process.argv
const outdir = folder === undefined ? join(root, 'dist') : resolve(folder)

// What a folder of somebody else's has stays.
if (folder === undefined) rmSync(outdir, { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints: ['src/cli/main.ts', 'src/client/client.ts'],
  entryNames: '[name]',
  chunkNames: '[name]-[hash]',
  outdir,
  bundle: true,
  splitting: true,
  packages: 'external',
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  // Traces and profiles name the module of src: `--enable-source-maps`.
  sourcemap: true,
  sourcesContent: false,
  plugins: [{ name: 'without the laboratory', setup: leaveOutLaboratory }],
})
cpSync(join(root, 'src/console'), join(outdir, 'console'), { recursive: true })

/** It stays in the repository, with what draws its plots: src/cli/commands.ts says so where it is missing. */
function leaveOutLaboratory(builder) {
  builder.onResolve({ filter: /\/lab\// }, ({ path }) => ({ path, external: true }))
}
