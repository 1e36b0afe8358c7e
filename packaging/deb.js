// `npm run package:deb`: a Debian package with the program, its Node.js and a service of systemd. It brings the Node.js that runs this
// script, since those of Debian stable are older than what the program needs.
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeTree, repositoryRoot, VERSION } from './tree.js'

const ARCHITECTURES = { x64: 'amd64', arm64: 'arm64' }
const architecture = ARCHITECTURES[process.arch]
if (process.platform !== 'linux' || architecture === undefined)
  throw new Error(`no package for ${process.platform} ${process.arch}`)

const output = join(repositoryRoot, 'build', `altered-chord_${VERSION}_${architecture}.deb`)
const root = mkdtempSync(join(tmpdir(), 'altered-chord-deb-'))
try {
  chmodSync(root, 0o755)
  const home = join(root, 'usr/lib/altered-chord')
  makeTree(home)
  copyFileSync(process.execPath, join(home, 'node'))
  chmodSync(join(home, 'node'), 0o755)
  write(
    'usr/bin/altered-chord',
    '#!/bin/sh\nexec /usr/lib/altered-chord/node /usr/lib/altered-chord/bin/altered-chord.js "$@"\n',
    0o755,
  )
  const unit = readFileSync(join(repositoryRoot, 'deploy/altered-chord.service'), 'utf8')
    .replace('/usr/bin/node /opt/altered-chord/start.js', '/usr/bin/altered-chord start')
    .replace('WorkingDirectory=/opt/altered-chord', 'WorkingDirectory=/usr/lib/altered-chord')
  write('usr/lib/systemd/system/altered-chord.service', unit)
  write('etc/altered-chord.env', readFileSync(join(repositoryRoot, 'deploy/altered-chord.env')), 0o600)
  for (const [shell, place] of [
    ['bash', 'usr/share/bash-completion/completions/altered-chord'],
    ['zsh', 'usr/share/zsh/vendor-completions/_altered-chord'],
    ['fish', 'usr/share/fish/vendor_completions.d/altered-chord.fish'],
  ])
    write(place, execFileSync(process.execPath, [join(home, 'bin/altered-chord.js'), 'completion', shell]))
  write('usr/share/doc/altered-chord/copyright', readFileSync(join(repositoryRoot, 'LICENSE')))
  write('DEBIAN/control', control())
  write('DEBIAN/conffiles', '/etc/altered-chord.env\n')
  // The service is started by whoever has written its settings.
  write('DEBIAN/postinst', script('systemctl daemon-reload'), 0o755)
  write('DEBIAN/prerm', script('[ "$1" != remove ] || systemctl disable --now altered-chord'), 0o755)
  write('DEBIAN/postrm', script('systemctl daemon-reload'), 0o755)
  mkdirSync(join(repositoryRoot, 'build'), { recursive: true })
  // DPKG_DEB_COMPRESSOR_LEVEL says how well, when it is not as usual.
  execFileSync('dpkg-deb', ['--build', '--root-owner-group', '-Zxz', root, output], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  console.log(output)
} finally {
  rmSync(root, { recursive: true })
}

function write(name, text, mode = 0o644) {
  const place = join(root, name)
  mkdirSync(join(place, '..'), { recursive: true })
  writeFileSync(place, text)
  chmodSync(place, mode)
}

function control() {
  return `Package: altered-chord
Version: ${VERSION}
Architecture: ${architecture}
Maintainer: altered-chord
Section: net
Priority: optional
Depends: libc6 (>= 2.28), libstdc++6, libgcc-s1
Description: replicated file store without a coordinator
 Every node is the same program; files are kept by three of them and are put
 and fetched by path at any of them, over HTTP, WebDAV or S3.
`
}

function script(command) {
  return `#!/bin/sh
set -e
[ ! -d /run/systemd/system ] || { ${command}; } || true
`
}
