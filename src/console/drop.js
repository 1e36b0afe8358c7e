/**
 * What a hand drops onto the page or picks from a disk: files, each with its path below the folder that is shown.
 */

/** @typedef {{ path: string, file: File }} Picked */

/**
 * Files and everything in folders. It must be called before the drop's event is over; the result can be awaited later.
 * @param {DataTransfer} dropped
 * @returns {Promise<Picked[]>}
 */
export async function pickedFrom(dropped) {
  // The entries are gone once the event is.
  const entries = Array.from(dropped.items, item => item.webkitGetAsEntry?.() ?? null)
  const files = Array.from(dropped.files)
  if (entries.every(entry => entry === null)) return files.map(file => ({ path: file.name, file }))
  /** @type {Picked[]} */
  const picked = []
  for (const entry of entries) if (entry !== null) await collect(entry, '', picked)
  return picked
}

/** @param {FileSystemEntry} entry @param {string} folder @param {Picked[]} picked */
async function collect(entry, folder, picked) {
  const path = folder + entry.name
  if (entry.isFile) {
    const one = /** @type {FileSystemFileEntry} */ (entry)
    picked.push({ path, file: await new Promise((resolve, reject) => one.file(resolve, reject)) })
    return
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader()
  for (;;) {
    // A reader gives up to 100 entries at a time, and none at the end.
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))
    if (some.length === 0) return
    for (const inner of some) await collect(inner, `${path}/`, picked)
  }
}

/** What a file input holds. @param {FileList} files @returns {Picked[]} */
export function pickedFromInput(files) {
  return Array.from(files, file => ({ path: file.webkitRelativePath || file.name, file }))
}
