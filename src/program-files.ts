/**
 * Where the program finds folders of its own. This module lies at the top of src, and all that is compiled lies at the top of dist
 * (packaging/build.js), so one name leads to the folder from both.
 */

/** What browsers get. */
export const CONSOLE_FOLDER = new URL('./console/', import.meta.url)

/** It is in the repository alone. */
export const LABORATORY_FOLDER = new URL('./lab/', import.meta.url)
