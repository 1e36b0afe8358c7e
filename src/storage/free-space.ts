/**
 * The look at how much space a disk has left, before something is begun that must not fail for want of it.
 */
import { statfsSync } from 'node:fs'
import { StoreError } from '../errors.ts'

/** @throws StoreError DISK_FULL when the disk that holds `folder` has fewer bytes left. */
export function assertFree(folder: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(folder)
  if (bavail * bsize < bytes) throw new StoreError('DISK_FULL', 'No space is left on the disk.')
}
